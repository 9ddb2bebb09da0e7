//! As much of Helm's templates as the chart uses: `{{ .Values.a.b }}`, `{{- toYaml .Values.a.b | nindent 8 }}`,
//! `{{ if .Values.a.b }}…{{ else }}…{{ end }}`, and comments. Anything else is a mistake.

use serde_json::Value;

/// A value by its path below `.Values`.
fn value<'a>(path: &str, values: &'a Value) -> &'a Value {
    let names = path.strip_prefix(".Values.").unwrap_or_else(|| panic!("no such action: {path}"));
    let found = names.split('.').try_fold(values, |value, name| value.get(name));
    found.unwrap_or_else(|| panic!("values.yaml has no {names}"))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What a template is with these values.
pub fn render(template: &str, values: &Value) -> String {
    let (mut out, mut rest, mut shown) = (String::new(), template, vec![true]);
    while let Some((before, after)) = rest.split_once("{{") {
        let (action, after) = after.split_once("}}").expect("an action ends");
        let visible = shown.iter().all(|shown| *shown);
        if visible {
            out.push_str(if action.starts_with('-') { before.trim_end() } else { before });
        }
        rest = if action.ends_with('-') { after.trim_start() } else { after };
        let words: Vec<&str> = action.trim_matches('-').split_whitespace().collect();
        match words[..] {
            ["if", path] => shown.push(value(path, values) == &Value::Bool(true)),
            ["else"] => *shown.last_mut().unwrap() ^= true,
            ["end"] => assert!(shown.len() > 1 && shown.pop().is_some(), "an end of nothing"),
            ["/*", ..] => {}
            // JSON is YAML, too.
            ["toYaml", path, "|", "nindent", width] if visible => {
                out.extend(["\n", &" ".repeat(width.parse().unwrap()), &value(path, values).to_string()]);
            }
            [path] if visible => out.push_str(&plain(value(path, values))),
            _ => assert!(!visible, "no such action: {action}"),
        }
    }
    out + rest
}
