//! Comma-separated values, wherever they are written.

/// One line. It ends with CR LF, and what has a comma, a quote or a break stands in quotes (RFC 4180 §2).
pub(crate) fn csv_line(cells: impl Iterator<Item = String>) -> String {
    let quoted = cells.map(|cell| {
        if cell.contains([',', '"', '\r', '\n']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell
        }
    });
    quoted.collect::<Vec<_>>().join(",") + "\r\n"
}
