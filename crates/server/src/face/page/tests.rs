//! Every page in every language is rendered and read the way a browser would read it.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::samples::{self, Sample};
use super::*;

#[test]
fn every_page_renders_in_every_language() {
    let pages = Pages::new().unwrap();
    let mut templates = BTreeSet::new();
    for sample in samples::all() {
        templates.insert(sample.template);
        for language in Language::ALL {
            let html = rendered(&pages, &sample, language);
            assert!(html.starts_with("<!doctype html>\n<html lang=\""), "{}", sample.name);
            assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())));
            assert!(html.trim_end().ends_with("</html>"));
            assert_eq!(html.matches("<h1").count(), 1, "{}", sample.name);
            for remnant in ["{{", "{%", "{ $", "undefined", "None"] {
                assert!(!html.replace(">None<", "").contains(remnant), "{} holds {remnant}", sample.name);
            }
        }
    }
    let expected: BTreeSet<&str> =
        TEMPLATES.iter().map(|(name, _)| *name).filter(|name| !PARTS.contains(name)).collect();
    assert_eq!(templates, expected);
}

/// Templates that are no page of their own.
const PARTS: [&str; 6] = [
    "face/layout.html",
    "face/fields.html",
    "face/sessions.html",
    "face/shapes.html",
    "face/applications.html",
    "oauth/client.html",
];

#[test]
fn the_typed_way_renders_the_same() {
    let page = LogoutPage {
        csrf: "token-1".to_owned(),
        display_name: "Ada Lovelace".to_owned(),
        username: "ada".to_owned(),
        return_to: None,
    };
    let frame = Frame { signed_in: Some("Ada Lovelace"), admin: false, csrf: Some("token-1") };
    let pages = Pages::new().unwrap();
    let sample = samples::all().into_iter().find(|sample| sample.name == "logout").unwrap();
    let html = pages.render(Language::German, &frame, &page).unwrap();
    assert_eq!(html, rendered(&pages, &sample, Language::German));
}

#[test]
fn whatever_people_type_stays_text() {
    const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}&amp;";
    let pages = Pages::new().unwrap();
    for mut sample in samples::all() {
        let mut replaced = poison(&mut sample.page, HOSTILE) + poison(&mut sample.frame, HOSTILE);
        if !sample.base.is_empty() {
            sample.base = HOSTILE.to_owned();
            replaced += 1;
        }
        for language in Language::ALL {
            let html = rendered(&pages, &sample, language);
            // Pages on the host of an application are given no script at all; one that leads on has its own besides.
            let leads_on = ["signed-out-leading", "form-post"].contains(&&*sample.name);
            let scripts = usize::from(sample.base.is_empty()) + usize::from(leads_on);
            assert_eq!(html.matches("<script").count(), scripts, "{}", sample.name);
            assert!(!html.contains("<img src=x") && !html.contains("\"'>"), "{}", sample.name);
            let escaped = "&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;{{ 7*7 }}&amp;amp;";
            assert_eq!(html.contains(escaped), replaced > 0, "{}", sample.name);
        }
    }
}

#[test]
fn pages_live_under_a_strict_content_security_policy() {
    each(|name, html| {
        for tag in tags(html) {
            let inline = attributes(tag).any(|attribute| attribute == "style" || attribute.starts_with("on"));
            assert!(!inline, "{name}: {tag}");
            assert!(
                !tag.starts_with("<style") && !tag.starts_with("<base") && !tag.contains("javascript:"),
                "{name}: {tag}"
            );
            if tag.starts_with("<script") {
                assert!(tag.contains(" src=\"") && tag.contains(" defer"), "{name}: {tag}");
            }
        }
        assert!(!html.contains("data:"), "{name}");
    });
}

#[test]
fn every_input_has_a_label_and_every_reference_its_element() {
    each(|name, html| {
        let mut ids = BTreeSet::new();
        for id in tags(html).filter_map(|tag| attribute(tag, "id")) {
            assert!(ids.insert(id), "{name}: the id {id} is there twice");
        }
        let labelled: BTreeSet<&str> = tags(html).filter_map(|tag| attribute(tag, "for")).collect();
        for tag in tags(html) {
            for reference in
                ["for", "aria-describedby", "aria-labelledby", "aria-controls", "data-strength", "data-copy"]
            {
                for target in attribute(tag, reference).unwrap_or_default().split_whitespace() {
                    assert!(ids.contains(target), "{name}: {reference}={target} leads nowhere");
                }
            }
            if (tag.starts_with("<input") || tag.starts_with("<textarea"))
                && attribute(tag, "type") != Some("hidden")
            {
                let by_id = attribute(tag, "id").is_some_and(|id| labelled.contains(id));
                assert!(by_id || tag.contains("aria-label"), "{name}: {tag}");
            }
            // What leads to a client is the client's business.
            let leads_here = attribute(tag, "id") != Some("form-post");
            if tag.starts_with("<form") && tag.contains("\"post\"") && leads_here {
                let form = html.split_once(tag).unwrap().1.split("</form>").next().unwrap();
                assert_eq!(form.matches("name=\"csrf\"").count(), 1, "{name}: {tag}");
            }
        }
        assert!(html.matches(" autofocus").count() <= 1, "{name}");
    });
}

#[test]
fn the_names_that_tests_and_scripts_rely_on_are_there() {
    let expected = [
        ("login", "id=\"login-form\" method=\"post\" action=\"/login\""),
        (
            "login",
            "name=\"username\" type=\"text\" value=\"\" autocomplete=\"username\" autocapitalize=\"none\"",
        ),
        ("login", "name=\"password\" type=\"password\" autocomplete=\"current-password\""),
        ("login", "name=\"remember\" type=\"checkbox\""),
        ("login", "id=\"login-submit\""),
        ("login-towards", "name=\"return_to\" value=\"https://wiki.example.com/start?a=1&amp;b=2\""),
        ("login-towards", "action=\"/login?gateward=url\""),
        ("login-wrong", "role=\"alert\" id=\"login-error\""),
        ("logout", "id=\"logout-form\" method=\"post\" action=\"/logout\""),
        ("logout", "id=\"logout-confirm\""),
        ("signed-out", "<h1 id=\"signed-out\">You are signed out</h1>"),
        ("signed-out-frames", "<iframe src=\"https://app.example/out?iss="),
        ("signed-out-leading", "id=\"signed-out-continue\" href=\"https://app.example/?state=1&amp;x=2\""),
        ("reset-ask", "name=\"code\" type=\"text\""),
        ("reset-choose", "id=\"reset-form\" method=\"post\" action=\"/reset\""),
        ("reset-choose", "type=\"hidden\" name=\"code\" value=\"K7QM-2XWD-9PTV\""),
        ("reset-choose", "id=\"reset-submit\""),
        ("setup", "id=\"setup-form\" method=\"post\" action=\"/setup\""),
        ("setup", "id=\"setup-submit\""),
        ("account", "id=\"profile-form\" method=\"post\" action=\"/account/profile\""),
        ("account", "<details class=\"more\" id=\"more\">"),
        ("account-more-wrong", "<details class=\"more\" id=\"more\" open>"),
        ("account", "name=\"given_name\" type=\"text\" value=\"Augusta\" autocomplete=\"given-name\""),
        ("account", "name=\"phone_number\" type=\"tel\""),
        ("account", "<textarea id=\"street_address\" name=\"street_address\""),
        ("account", "Verified. Another address"),
        ("account", "Verified. Another number"),
        ("account", "id=\"password-form\" method=\"post\" action=\"/account/password\""),
        ("account", "name=\"current_password\""),
        ("account", "name=\"password_again\""),
        ("account", "session-end\" type=\"submit\" data-session=\"s_7h2x1q\""),
        (
            "account",
            "id=\"end-others-form\" class=\"card-foot\" method=\"post\" action=\"/account/sessions/end-others\"",
        ),
        ("account", "id=\"end-others\""),
        ("account", "id=\"account-apps\""),
        ("account", "session-end\" type=\"submit\" data-session=\"s_9q4v7z\""),
        ("account", "id=\"account-applications\""),
        ("account", "name=\"client_id\" value=\"grafana\""),
        ("account-apps", "id=\"end-others\""),
        ("account-apps", "role=\"alert\" id=\"account-key-reused\""),
        ("account-apps", "on 2026-03-10 14:05 UTC; that app was signed out"),
        ("person", "<dt>Date of birth</dt><dd class=\"lines\">1815-12-10</dd>"),
        ("person", "ada@example.com <span class=\"badge badge-good\">verified</span>"),
        ("people", "name=\"q\""),
        ("people", "href=\"/admin/people/p1\""),
        ("person", "action=\"/admin/people/p1/sessions/end\""),
        ("person", "action=\"/admin/people/p1/sessions/end-all\""),
        ("person", "action=\"/admin/people/p1/disable\""),
        ("person-disabled", "action=\"/admin/people/p1/enable\""),
        ("person", "action=\"/admin/people/p1/reset\""),
        ("error-NotFound", "<code id=\"error-code\">not-found</code>"),
        ("forbidden-groups", "href=\"https://login.example.com/assets/style."),
    ];
    let pages = Pages::new().unwrap();
    let samples = samples::all();
    for (name, part) in expected {
        let sample = samples.iter().find(|sample| sample.name == name).unwrap();
        let html = rendered(&pages, sample, Language::English);
        assert!(html.contains(part), "{name} lacks {part}:\n{html}");
    }
}

#[test]
fn what_is_not_offered_is_not_there() {
    let pages = Pages::new().unwrap();
    let samples = samples::all();
    let absent = [
        ("login-towards", "name=\"remember\""),
        ("login", "return_to"),
        ("login", "role=\"alert\""),
        ("account-bare", "end-others"),
        ("account-bare", "account-apps"),
        ("account", "account-key-reused"),
        ("account-bare", "session-end"),
        ("account-bare", "Verified."),
        ("person-disabled", "verified"),
        ("account", "data-session=\"s_3k9f2m\">End"),
        ("account", "href=\"/admin\""),
        ("person-self", "person-disable\""),
        ("person", "reset-link"),
        ("forbidden-network", "missing-groups"),
        ("forbidden-groups", "href=\"/"),
        ("error-abroad", "href=\"/"),
    ];
    for (name, part) in absent {
        let sample = samples.iter().find(|sample| sample.name == name).unwrap();
        assert!(!rendered(&pages, sample, Language::English).contains(part), "{name} holds {part}");
    }
}

#[test]
fn apps_are_listed_apart_from_browsers() {
    let pages = Pages::new().unwrap();
    let samples = samples::all();
    let sample = samples.iter().find(|sample| sample.name == "account").unwrap();
    for language in Language::ALL {
        let html = rendered(&pages, sample, language);
        let (browsers, apps) = html.split_once("id=\"apps-title\"").unwrap();
        let (_, browsers) = browsers.split_once("id=\"sessions-title\"").unwrap();
        for (id, is_app) in [
            ("s_3k9f2m", false),
            ("s_7h2x1q", false),
            ("s_1c8d4w", false),
            ("s_9q4v7z", true),
            ("s_5b2n8k", true),
        ] {
            let row = format!("<li class=\"session\" data-session=\"{id}\"");
            let row = if id == "s_3k9f2m" {
                row.replace("\"session\"", "\"session session-current\"")
            } else {
                row
            };
            assert_eq!((browsers.contains(&row), apps.contains(&row)), (!is_app, is_app), "{id}");
        }
        assert_eq!(apps.matches("action=\"/account/sessions/end\"").count(), 2);
    }
}

#[test]
fn every_message_named_in_a_template_exists() {
    let arguments = fluent_bundle::FluentArgs::new();
    let mut named = 0;
    for (template, source) in TEMPLATES {
        for call in source.split("t(\"").skip(1) {
            let (key, rest) = call.split_once('"').unwrap();
            // A key that is put together ends with a dash; the samples go through all its endings.
            if rest.trim_start().starts_with('~') {
                assert!(key.ends_with('-'), "{template}: {key}");
                continue;
            }
            named += 1;
            for language in Language::ALL {
                let missing = matches!(language.message(key, &arguments), Err(MessageError::Missing(..)));
                assert!(!missing, "{template} names the message {key}");
            }
        }
    }
    assert!(named > 100);
}

#[test]
fn statuses_have_fitting_titles() {
    let cases = [
        (400, ErrorTitle::BadRequest),
        (401, ErrorTitle::Forbidden),
        (403, ErrorTitle::Forbidden),
        (404, ErrorTitle::NotFound),
        (410, ErrorTitle::NotFound),
        (413, ErrorTitle::BadRequest),
        (429, ErrorTitle::TooMany),
        (500, ErrorTitle::Internal),
        (501, ErrorTitle::Internal),
        (502, ErrorTitle::Unavailable),
        (503, ErrorTitle::Unavailable),
        (504, ErrorTitle::Unavailable),
        (505, ErrorTitle::Internal),
    ];
    for (status, title) in cases {
        assert_eq!(ErrorTitle::of_status(status), title, "{status}");
    }
}

/// Writes every sample and the assets under `GATEWARD_PAGES_TO`, to be looked at in a browser.
#[test]
fn samples_can_be_looked_at() {
    let Some(target) = std::env::var_os("GATEWARD_PAGES_TO").map(std::path::PathBuf::from) else { return };
    let pages = Pages::new().unwrap();
    std::fs::create_dir_all(target.join("assets")).unwrap();
    for name in ["style.css", "gateward.js", "signed-out.js", "form-post.js", "mark.svg"] {
        let asset = assets::find(assets::href(name).unwrap()).unwrap();
        std::fs::write(target.join(&asset.path[1..]), asset.bytes).unwrap();
    }
    for mut sample in samples::all() {
        sample.base.clear();
        for language in Language::ALL {
            let file = target.join(format!("{}.{}.html", sample.name, language.tag()));
            std::fs::write(file, rendered(&pages, &sample, language)).unwrap();
        }
    }
}

fn rendered(pages: &Pages, sample: &Sample, language: Language) -> String {
    match sample.render(pages, language) {
        Ok(html) => html,
        Err(error) => panic!("{} in {}: {error}", sample.name, language.tag()),
    }
}

fn each(check: impl Fn(&str, &str)) {
    let pages = Pages::new().unwrap();
    for sample in samples::all() {
        for language in Language::ALL {
            check(&sample.name, &rendered(&pages, &sample, language));
        }
    }
}

/// Replaces every text a person or an operator chose; names that choose a message stay. Returns how many it replaced.
fn poison(value: &mut Json, hostile: &str) -> usize {
    const KEYS: [&str; 9] =
        ["kind", "field", "problem", "notice", "transport", "step", "state", "title", "errors"];
    match value {
        Json::String(text) if !text.is_empty() => {
            *text = hostile.to_owned();
            1
        }
        Json::Array(values) => values.iter_mut().map(|value| poison(value, hostile)).sum(),
        Json::Object(fields) => fields
            .iter_mut()
            .filter(|(name, _)| !KEYS.contains(&name.as_str()))
            .map(|(_, value)| poison(value, hostile))
            .sum(),
        _ => 0,
    }
}

/// The opening tags of a document, each with its angle bracket but not the closing one.
fn tags(html: &str) -> impl Iterator<Item = &str> {
    html.match_indices('<')
        .filter(|(at, _)| html[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic()))
        .map(|(at, _)| &html[at..at + html[at..].find('>').unwrap()])
}

fn attributes(tag: &str) -> impl Iterator<Item = &str> {
    tag.split('"').step_by(2).flat_map(str::split_whitespace).map(|name| name.trim_end_matches('='))
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    value.split('"').next()
}
