//! What a browser calls itself, in words that a person recognises: "Firefox 140 on Linux".

use woothee::parser::Parser;

/// The longest text kept of an unknown program's name, in characters.
const LONGEST: usize = 40;

/// The device in words.
pub fn describe(agent: &str) -> String {
    let known = |text: &str| !text.is_empty() && text != "UNKNOWN";
    match Parser::new().parse(agent) {
        Some(found) if known(found.name) => {
            let major = found.version.split('.').next().filter(|version| known(version));
            let mut words = found.name.to_owned();
            if let Some(major) = major {
                words.push(' ');
                words.push_str(major);
            }
            if known(found.os) {
                words.push_str(" on ");
                words.push_str(found.os);
            }
            words
        }
        _ => own_name(agent),
    }
}

/// The first word of what a program calls itself: `curl/8.5.0`.
fn own_name(agent: &str) -> String {
    let first = agent.split_whitespace().next().unwrap_or_default();
    let plain: String = first.chars().filter(char::is_ascii_graphic).take(LONGEST).collect();
    if plain.is_empty() { "Unknown device".to_owned() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_browsers_and_programs_have_names() {
        for (agent, words) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox 140 on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
                "Chrome 140 on Windows 10",
            ),
            ("okhttp/4.12.0", "okhttp/4.12.0"),
            ("", "Unknown device"),
            ("\u{1b}[31m", "[31m"),
        ] {
            assert_eq!(describe(agent), words, "{agent}");
        }
        assert_eq!(describe(&"x".repeat(500)).len(), LONGEST);
    }
}
