//! Objects as tests write them, one to a line: kind, name (`namespace/name`, or of `default`), spec in braces.

/// Turns such lines into YAML documents. A line that starts with a blank goes on with the one above.
pub fn yaml(lines: &str) -> String {
    let mut text = String::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        if line.starts_with(' ') {
            text.push_str(line);
            text.push('\n');
            continue;
        }
        let mut words = line.trim().splitn(3, ' ');
        let (kind, name, spec) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or("{}"));
        let metadata = match name.split_once('/') {
            Some((namespace, name)) => format!("{{name: \"{name}\", namespace: \"{namespace}\"}}"),
            None => format!("{{name: \"{name}\"}}"),
        };
        text.extend([format!(
            "---\napiVersion: tenet.network/v1alpha1\nkind: {kind}\nmetadata: {metadata}\nspec: {spec}\n"
        )]);
    }
    text
}
