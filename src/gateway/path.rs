//! Paths that two readers could understand differently are refused, never put right.

/// Whether a path means the same to everybody: absolute, no empty or dot segments, no encoded separators, no backslash,
/// no NUL, no line break.
pub(super) fn is_plain(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    if rest.contains('\\') || encodes_separator(rest) {
        return false;
    }
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        // One slash at the end is a path of its own; two are not.
        let last = segments.peek().is_none();
        if (segment.is_empty() && !last) || is_dots(segment) {
            return false;
        }
    }
    true
}

/// `.` or `..`, in any spelling, with or without parameters behind it.
fn is_dots(segment: &str) -> bool {
    let mut dots = 0;
    let mut rest = segment.split(';').next().unwrap_or_default();
    while !rest.is_empty() {
        let cut = if rest.starts_with('.') {
            1
        } else if rest
            .get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case("%2e"))
        {
            3
        } else {
            return false;
        };
        dots += 1;
        rest = rest.get(cut..).unwrap_or_default();
    }
    matches!(dots, 1 | 2)
}

/// `/`, `\`, NUL, CR or LF behind a percent sign, or a percent sign that hides one of them or a dot.
fn encodes_separator(path: &str) -> bool {
    let bad = |code: &str| {
        ["2f", "5c", "00", "0a", "0d"]
            .iter()
            .any(|bad| code.eq_ignore_ascii_case(bad))
    };
    path.match_indices('%').any(|(at, _)| {
        let code = |from: usize| path.get(at + from..at + from + 2).unwrap_or_default();
        bad(code(1)) || (code(1) == "25" && (bad(code(3)) || code(3).eq_ignore_ascii_case("2e")))
    })
}

#[cfg(test)]
mod tests;
