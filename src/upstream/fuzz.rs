//! What must hold of the path that a provider is asked for, and of what it answers.

use super::target::join;

pub(crate) use super::h1::fuzz::answer;

/// `target` below `base`, which is checked against both.
pub(crate) fn joined(base: &str, target: &str) -> String {
    let joined = join(base, target).into_owned();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let versions = base.ends_with("/v1") && (path == "/v1" || path.starts_with("/v1/"));
    let below = path
        .strip_prefix("/v1")
        .filter(|_| versions)
        .unwrap_or(path);
    let members: Vec<&str> = query.split('&').collect();
    let kept = |member: &&&str| !(**member == "key" || member.starts_with("key="));
    let kept: Vec<&str> = members.iter().filter(kept).copied().collect();
    let query = match (kept.len() == members.len(), target.contains('?')) {
        (true, true) => format!("?{query}"),
        (true, false) => String::new(),
        (false, _) => match kept.join("&").trim_start_matches('&') {
            "" => String::new(),
            kept => format!("?{kept}"),
        },
    };
    let slash = if base.is_empty() && below.is_empty() {
        "/"
    } else {
        ""
    };
    assert_eq!(joined, format!("{base}{below}{slash}{query}"));
    joined
}
