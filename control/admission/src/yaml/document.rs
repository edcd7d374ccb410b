//! Splits a file into documents before any of them is parsed, so that one that does not parse harms only itself.

/// A document's text, and how many lines of the file come before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Document<'a> {
    pub(crate) text: &'a str,
    pub(crate) lines_before: u32,
}

/// Splits at lines that begin with `---`, as Kubernetes' tools do. Documents without content are left out.
pub(crate) fn split(text: &str) -> Vec<Document<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = Vec::new();
    let mut start = 0;
    let mut lines_before = 0;
    let mut offset = 0;
    for (number, line) in (0_u32..).zip(text.split_inclusive('\n')) {
        if is_separator(line) && offset > start {
            documents.push(Document { text: text.get(start..offset).unwrap_or_default(), lines_before });
            (start, lines_before) = (offset, number);
        }
        offset += line.len();
    }
    documents.push(Document { text: text.get(start..).unwrap_or_default(), lines_before });
    documents.retain(|document| has_content(document.text));
    documents.into_iter().map(without_separator).collect()
}

/// A bare separator is not part of the text, so that the first document of a file is the same with and without one.
fn without_separator(document: Document<'_>) -> Document<'_> {
    match document.text.split_once('\n') {
        Some((line, text)) if line.trim_end() == "---" => {
            Document { text, lines_before: document.lines_before.saturating_add(1) }
        }
        Some(_) | None => document,
    }
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Comments, directives and separators alone are no content.
fn has_content(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.strip_prefix("---").filter(|_| is_separator(line)).unwrap_or(line).trim();
        !(line.is_empty() || line.starts_with(['#', '%']) || line == "...")
    })
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn splits_and_counts_lines() {
        let text = "# head\n---\na: 1\n---\n# nothing\n--- # two\nb: 2\n...\n---\n";
        let found: Vec<_> = split(text).into_iter().map(|d| (d.lines_before, d.text)).collect();
        assert_eq!(found, [(2, "a: 1\n"), (5, "--- # two\nb: 2\n...\n")]);
    }

    #[test]
    fn text_that_looks_like_a_separator_is_none() {
        let text = "a: |\n  ---\n  x\nb: ----\n";
        assert_eq!(split(text).len(), 1);
        assert_eq!(split("").len(), 0);
        assert_eq!(split("\u{feff}a: 1").first().map(|d| d.text), Some("a: 1"));
    }
}
