//! Rust source as far as the layers need it: the code without comments, text and tests; and the paths that it names.

/// What a file says, taken apart.
#[derive(Debug, Default)]
pub struct Source {
    /// The code as words and signs; `::` is one sign. Without what stands under `#[cfg(test)]`.
    pub words: Vec<String>,
    /// Text between quotes, without what stands under `#[cfg(test)]`.
    pub texts: Vec<String>,
    /// Modules declared by `mod name;`, and whether for tests only.
    pub modules: Vec<(String, bool)>,
}

impl Source {
    /// Takes a file apart.
    pub fn read(code: &str) -> Self {
        let mut source = Self::default();
        for token in outside_tests(&tokens(code), &mut source.modules) {
            match token {
                Token::Word(word) => source.words.push(word),
                Token::Text(text) => source.texts.push(text),
            }
        }
        source
    }

    /// All paths of two parts or more, imports and inline ones, written out: `use a::{b, c::d}` is `a::b` and `a::c::d`.
    pub fn paths(&self) -> Vec<Vec<&str>> {
        let mut paths = Vec::new();
        let mut at = 0;
        while let Some(word) = self.words.get(at) {
            let starts = is_name(word) && self.words.get(at + 1).is_some_and(|next| next == "::");
            at = if starts { self.tree(at, &mut Vec::new(), &mut paths) } else { at + 1 };
        }
        paths
    }

    /// Reads the path, or the tree of paths, that begins at a word; returns where it ends.
    fn tree<'a>(&'a self, mut at: usize, before: &mut Vec<&'a str>, paths: &mut Vec<Vec<&'a str>>) -> usize {
        let depth = before.len();
        while let Some(word) = self.words.get(at) {
            if word == "{" {
                at += 1;
                while self.words.get(at).is_some_and(|word| word != "}") {
                    let next = self.tree(at, before, paths);
                    // A comma, an alias, a star.
                    at = next.max(at + 1);
                }
                before.truncate(depth);
                return at + 1;
            }
            if !is_name(word) {
                break;
            }
            before.push(word);
            at += 1;
            if self.words.get(at).is_none_or(|next| next != "::") {
                break;
            }
            at += 1;
        }
        if before.len() > depth {
            paths.push(before.clone());
        }
        before.truncate(depth);
        at
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
}

/// Leaves out items under `#[cfg(test)]`, and notes the modules that are declared.
fn outside_tests(tokens: &[Token], modules: &mut Vec<(String, bool)>) -> Vec<Token> {
    let word = |at: usize| match tokens.get(at) {
        Some(Token::Word(word)) => word.as_str(),
        _ => "",
    };
    let mut kept = Vec::new();
    let mut at = 0;
    let mut test = false;
    while at < tokens.len() {
        if word(at) == "mod" && word(at + 2) == ";" {
            modules.push((word(at + 1).to_owned(), test));
            at += 3;
            test = false;
            continue;
        }
        let attribute = (0..7).map(|n| word(at + n)).collect::<String>();
        if attribute == "#[cfg(test)]" {
            test = true;
            at += 7;
        } else if test && word(at) == "#" {
            at = closing(tokens, at + 1);
        } else if test && !matches!((word(at), word(at + 1)), ("mod", _) if word(at + 2) == ";") && word(at) != "pub" {
            // The item: up to its `;`, or to the end of its braces.
            while at < tokens.len() && word(at) != ";" && word(at) != "{" {
                at = if matches!(word(at), "(" | "[") { closing(tokens, at) } else { at + 1 };
            }
            at = if word(at) == "{" { closing(tokens, at) } else { at + 1 };
            test = false;
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Where the bracket that opens at `at` is closed, plus one.
fn closing(tokens: &[Token], mut at: usize) -> usize {
    let mut depth = 0_i32;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let Token::Word(word) = token else { continue };
        match word.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let raw = rest.trim_start_matches('b').strip_prefix('r').filter(|r| r.starts_with(['#', '"']));
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(after) = raw.filter(|r| r.trim_start_matches('#').starts_with('"')) {
            let hashes = after.len() - after.trim_start_matches('#').len();
            let end = format!("\"{}", "#".repeat(hashes));
            let text = &after[hashes + 1..];
            let inner = text.find(&end).unwrap_or(text.len());
            tokens.push(Token::Text(text[..inner].to_owned()));
            rest.len() - text.len() + (inner + end.len()).min(text.len())
        } else if first == '"' {
            let inner = quoted(&rest[1..], '"');
            tokens.push(Token::Text(rest[1..=inner].to_owned()));
            (inner + 2).min(rest.len())
        } else if first == '\'' {
            character(rest)
        } else if is_name(rest) || first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            end
        } else if rest.starts_with("::") {
            tokens.push(Token::Word("::".into()));
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Word(first.to_string()));
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// Length of what stands before the closing quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    let end = text.find(|c| {
        let closes = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    });
    end.unwrap_or(text.len())
}

/// Length of a character, or of the tick of a lifetime.
fn character(rest: &str) -> usize {
    let inner = &rest[1..];
    if inner.starts_with('\\') {
        return (quoted(inner, '\'') + 2).min(rest.len());
    }
    let mut chars = inner.char_indices();
    let _ = chars.next();
    match chars.next() {
        Some((at, '\'')) => at + 2,
        _ => 1,
    }
}
