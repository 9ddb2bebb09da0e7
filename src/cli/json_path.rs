//! The part of `JSONPath` that columns of CRDs use: `.a.b`, `['a']`, `[0]`, `[*]`, `[?(@.type=="Ready")]`.

use serde_json::Value;

/// Everything that `path` leads to, in order; nothing when the path is not understood.
#[must_use]
pub fn find<'a>(root: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![root];
    let mut rest = path.trim();
    while !rest.is_empty() && !found.is_empty() {
        let Some((next, after)) = step(rest, &found) else { return Vec::new() };
        (found, rest) = (next, after);
    }
    found
}

fn step<'a, 'p>(path: &'p str, from: &[&'a Value]) -> Option<(Vec<&'a Value>, &'p str)> {
    if let Some(rest) = path.strip_prefix('.') {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        return Some((fields(from, name), rest));
    }
    let inner = path.strip_prefix('[')?;
    if let Some(filter) = inner.strip_prefix("?(@.") {
        let (test, rest) = filter.split_once(")]")?;
        let (field, wanted) = test.split_once("==")?;
        let wanted = wanted.trim().trim_matches(['"', '\'']);
        let keep = |v: &&&Value| find(v, &format!(".{}", field.trim())).iter().any(|f| f.as_str() == Some(wanted));
        return Some((items(from).iter().filter(keep).copied().collect(), rest));
    }
    let (index, rest) = inner.split_once(']')?;
    let next = match index {
        "*" => items(from),
        quoted if quoted.starts_with(['"', '\'']) => fields(from, quoted.trim_matches(['"', '\''])),
        number => {
            let n: usize = number.parse().ok()?;
            from.iter().filter_map(|v| v.get(n)).collect()
        }
    };
    Some((next, rest))
}

fn fields<'a>(from: &[&'a Value], name: &str) -> Vec<&'a Value> {
    from.iter().filter_map(|v| if name.is_empty() { Some(*v) } else { v.get(name) }).collect()
}

fn items<'a>(from: &[&'a Value]) -> Vec<&'a Value> {
    from.iter().filter_map(|v| v.as_array()).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_columns_lead_where_kubectl_says() {
        let object = serde_json::json!({
            "spec": {"a.b": 1, "ips": [{"ip": "10.0.0.5"}, {"ip": "10.0.0.6"}]},
            "status": {"conditions": [{"type": "Accepted", "status": "True"}, {"type": "Ready", "status": "False"}]},
        });
        let cases = [
            (".status.conditions[?(@.type==\"Ready\")].status", "[\"False\"]"),
            (".status.conditions[?(@.type=='Ready')].status", "[\"False\"]"),
            (".spec.ips[*].ip", "[\"10.0.0.5\",\"10.0.0.6\"]"),
            (".spec.ips[1].ip", "[\"10.0.0.6\"]"),
            (".spec['a.b']", "[1]"),
            (".spec.missing.deep", "[]"),
            (".spec.ips[?(@.ip", "[]"),
            ("[nonsense", "[]"),
        ];
        for (path, wanted) in cases {
            assert_eq!(serde_json::to_string(&find(&object, path)).ok().as_deref(), Some(wanted), "{path}");
        }
    }
}
