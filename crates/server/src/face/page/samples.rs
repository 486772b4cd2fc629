//! One rendering of every page in every state it has, for the tests and for looking at.

use minijinja::Value;
use minijinja::value::Serde;

use gateward_kernel::person::Detail;

use super::*;

/// 2026-03-12T14:05:09Z
pub(super) const NOW: i64 = 1_773_324_309_000_000;
const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;
const LIMITS: PasswordLimits = PasswordLimits { min: 8, max: 1024 };

/// A page with the frame around it.
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) template: &'static str,
    pub(super) base: String,
    pub(super) frame: serde_json::Value,
    pub(super) page: serde_json::Value,
}

impl Sample {
    fn new<P: Page>(name: &str, frame: Frame<'_>, page: &P) -> Sample {
        Sample {
            name: name.to_owned(),
            template: P::TEMPLATE,
            base: page.base_url().unwrap_or_default().to_owned(),
            frame: serde_json::to_value(frame).unwrap(),
            page: serde_json::to_value(page).unwrap(),
        }
    }

    pub(super) fn render(&self, pages: &Pages, language: Language) -> Result<String, PageError> {
        let (frame, page) = (Value::from(Serde(&self.frame)), Value::from(Serde(&self.page)));
        pages.render_value(language, self.template, &self.base, frame, page)
    }
}

pub(super) fn all() -> Vec<Sample> {
    let mut samples = sign_in();
    samples.extend(oauth());
    samples.extend(passwords());
    samples.extend(account());
    samples.extend(admin());
    samples.extend(refusals());
    samples
}

const NOBODY: Frame<'static> = Frame { signed_in: None, admin: false, csrf: None };
const ADA: Frame<'static> = Frame { signed_in: Some("Ada Lovelace"), admin: false, csrf: Some("token-1") };
const ADMIN: Frame<'static> = Frame { signed_in: Some("Grace Hopper"), admin: true, csrf: None };

fn text(words: &str) -> String {
    words.to_owned()
}

fn sign_in() -> Vec<Sample> {
    let plain = LoginPage {
        action: text("/login"),
        csrf: text("token-1"),
        username: String::new(),
        remember: false,
        remember_offered: true,
        error: None,
        return_to: None,
        app: None,
        client: None,
        cancel: None,
    };
    let towards = LoginPage {
        return_to: Some(text("https://wiki.example.com/start?a=1&b=2")),
        app: Some(text("wiki.example.com")),
        action: text("/login?gateward=url"),
        remember_offered: false,
        ..plain.clone()
    };
    let mut samples =
        vec![Sample::new("login", NOBODY, &plain), Sample::new("login-towards", NOBODY, &towards)];
    let errors = [
        ("wrong", LoginError::WrongCredentials),
        ("throttled", LoginError::Throttled { retry_after_seconds: 95 }),
        ("busy", LoginError::Busy),
        ("expired", LoginError::FormExpired),
        ("cross-site", LoginError::CrossSite),
    ];
    for (name, error) in errors {
        let page = LoginPage { error: Some(error), username: text("ada"), remember: true, ..plain.clone() };
        samples.push(Sample::new(&format!("login-{name}"), NOBODY, &page));
    }
    let logout = LogoutPage {
        csrf: text("token-1"),
        display_name: text("Ada Lovelace"),
        username: text("ada"),
        return_to: None,
    };
    let back = LogoutPage {
        display_name: String::new(),
        return_to: Some(text("https://wiki.example.com/")),
        ..logout.clone()
    };
    samples.push(Sample::new("logout", ADA, &logout));
    samples.push(Sample::new("logout-towards", ADMIN, &back));
    samples.push(Sample::new("signed-out", NOBODY, &SignedOutPage::default()));
    let frames = vec![text("https://app.example/out?iss=https%3A%2F%2Flogin.example.com&sid=s1")];
    let leading =
        SignedOutPage { frames: frames.clone(), next: Some(text("https://app.example/?state=1&x=2")) };
    samples.push(Sample::new("signed-out-frames", NOBODY, &SignedOutPage { frames, next: None }));
    samples.push(Sample::new("signed-out-leading", NOBODY, &leading));
    samples
}

fn oauth() -> Vec<Sample> {
    let client = ClientCard {
        name: text("Grafana"),
        home: Some(text("https://grafana.example.com/")),
        policy: Some(text("https://grafana.example.com/privacy")),
        terms: Some(text("https://grafana.example.com/terms")),
        logo: Some(text("/oauth/logo?client_id=grafana")),
        ..ClientCard::default()
    };
    let bare = ClientCard { name: text("tool"), ..ClientCard::default() };
    let registered = ClientCard { came_by_itself: true, ..bare.clone() };
    let document = ClientCard { document: Some(text("tool.example.com")), ..registered.clone() };
    let row = |name: &str, is_fixed, is_new| ScopeRow { name: text(name), is_fixed, is_new };
    let consent = ConsentPage {
        csrf: text("token-1"),
        flow: text("sealed"),
        client: client.clone(),
        display_name: text("Ada Lovelace"),
        username: text("ada"),
        scopes: vec![row("openid", true, false), row("profile", false, false), row("email", false, false)],
        claims: Vec::new(),
        resources: Vec::new(),
        details: None,
        offline: false,
        leads_to: text("grafana.example.com"),
    };
    let more = ConsentPage {
        client: registered,
        scopes: vec![
            row("openid", true, false),
            row("offline_access", false, true),
            row("files:read", false, true),
        ],
        claims: vec![text("address")],
        resources: vec![text("https://files.example.com")],
        details: Some(text("[\n  {\n    \"type\": \"payment\"\n  }\n]")),
        offline: true,
        ..consent.clone()
    };
    let by_address = ConsentPage { client: document, ..consent.clone() };
    let choose = ChooseAccountPage {
        client: client.clone(),
        display_name: text("Ada Lovelace"),
        username: text("ada"),
        go_on: text("/oauth/authorize?flow=sealed"),
        another: text("/login?again=1"),
    };
    let post = FormPostPage {
        action: text("https://grafana.example.com/login/generic_oauth"),
        fields: vec![(text("code"), text("x")), (text("state"), text("a \"quoted\" <state>"))],
    };
    let login = LoginPage {
        action: text("/login"),
        csrf: text("token-1"),
        username: String::new(),
        remember: false,
        remember_offered: true,
        error: None,
        return_to: Some(text("/oauth/authorize?flow=sealed")),
        app: None,
        client: Some(client),
        cancel: Some(text("/oauth/authorize?flow=sealed&cancel=1")),
    };
    let mut samples = devices(&consent);
    samples.extend([
        Sample::new("consent", ADA, &consent),
        Sample::new("consent-by-address", ADA, &by_address),
        Sample::new("consent-more", ADA, &more),
        Sample::new("choose-account", ADA, &choose),
        Sample::new("form-post", ADA, &post),
        Sample::new("login-client", NOBODY, &login),
    ]);
    samples
}

fn devices(consent: &ConsentPage) -> Vec<Sample> {
    let enter = DevicePage { csrf: text("token-1"), user_code: String::new(), error: None };
    let wrong =
        DevicePage { user_code: text("WDJB-MJHT"), error: Some(DeviceError::Unknown), ..enter.clone() };
    let throttled =
        DevicePage { error: Some(DeviceError::Throttled { retry_after_seconds: 30 }), ..wrong.clone() };
    let question = DeviceConsentPage {
        csrf: text("token-1"),
        ticket: text("sealed"),
        user_code: text("WDJB-MJHT"),
        client: consent.client.clone(),
        display_name: consent.display_name.clone(),
        username: consent.username.clone(),
        scopes: consent.scopes.clone(),
        resources: Vec::new(),
        offline: false,
    };
    let more = DeviceConsentPage {
        resources: vec![text("https://files.example.com")],
        offline: true,
        ..question.clone()
    };
    let done = |is_allowed| DeviceDonePage { client: text("Grafana"), is_allowed };
    vec![
        Sample::new("device", ADA, &enter),
        Sample::new("device-wrong", ADA, &wrong),
        Sample::new("device-throttled", ADA, &throttled),
        Sample::new("device-consent", ADA, &question),
        Sample::new("device-consent-more", ADA, &more),
        Sample::new("device-allowed", ADA, &done(true)),
        Sample::new("device-denied", ADA, &done(false)),
    ]
}

fn passwords() -> Vec<Sample> {
    let form = ResetForm {
        csrf: text("token-1"),
        code: text("K7QM-2XWD-9PTV"),
        username: Some(text("ada")),
        errors: Vec::new(),
        limits: LIMITS,
    };
    let wrong = ResetForm { username: None, errors: Problem::ALL.to_vec(), ..form.clone() };
    let setup = SetupForm {
        csrf: text("token-1"),
        code: text("K7QM-2XWD-9PTV"),
        username: String::new(),
        display_name: String::new(),
        email: String::new(),
        errors: Vec::new(),
        limits: LIMITS,
    };
    let refused = SetupForm {
        username: text("аda"),
        display_name: text("Ada Lovelace"),
        email: text("ada@"),
        errors: vec![
            FieldProblem { field: Field::Username, problem: Problem::NameConfusable },
            FieldProblem { field: Field::Email, problem: Problem::EmailInvalid },
            FieldProblem { field: Field::Password, problem: Problem::TooShort },
            FieldProblem { field: Field::Password, problem: Problem::Common },
            FieldProblem { field: Field::PasswordAgain, problem: Problem::Mismatch },
        ],
        ..setup.clone()
    };
    let every = SetupForm { errors: every_problem(), ..refused.clone() };
    vec![
        Sample::new("reset-ask", NOBODY, &ResetPage::Ask { errors: Vec::new() }),
        Sample::new("reset-ask-wrong", NOBODY, &ResetPage::Ask { errors: vec![Problem::CodeInvalid] }),
        Sample::new("reset-choose", NOBODY, &ResetPage::Choose(form)),
        Sample::new("reset-choose-wrong", NOBODY, &ResetPage::Choose(wrong)),
        Sample::new("reset-done", NOBODY, &ResetPage::Done),
        Sample::new("setup", NOBODY, &SetupPage::Form(setup)),
        Sample::new("setup-wrong", NOBODY, &SetupPage::Form(refused)),
        Sample::new("setup-every", NOBODY, &SetupPage::Form(every)),
        Sample::new("setup-invalid", NOBODY, &SetupPage::Invalid),
    ]
}

/// Every problem at every field.
fn every_problem() -> Vec<FieldProblem> {
    let fields = [
        Field::Form,
        Field::Username,
        Field::DisplayName,
        Field::Email,
        Field::CurrentPassword,
        Field::Password,
        Field::PasswordAgain,
    ];
    let fields = fields.into_iter().chain(Detail::ALL.map(Field::Detail));
    let at = |field| Problem::ALL.into_iter().map(move |problem| FieldProblem { field, problem });
    fields.flat_map(at).collect()
}

fn sessions() -> Vec<SessionRow> {
    let current = SessionRow {
        id: text("s_3k9f2m"),
        device: text("Firefox 140 on Linux"),
        address: text("203.0.113.9"),
        transport: Transport::Cookie,
        remembered: true,
        created: NOW - 3 * DAY,
        last_used: NOW,
        current: true,
    };
    let app = SessionRow {
        id: text("s_7h2x1q"),
        device: text("okhttp 4.12 on Android"),
        address: text("2001:db8:85a3::8a2e:370:7334"),
        transport: Transport::Header,
        remembered: false,
        created: NOW - 45 * DAY,
        last_used: NOW - 2 * 60 * MINUTE,
        current: false,
    };
    let odd = SessionRow {
        id: text("s_1c8d4w"),
        device: String::new(),
        address: String::new(),
        transport: Transport::Url,
        created: NOW - 20 * MINUTE,
        last_used: NOW - MINUTE,
        ..app.clone()
    };
    vec![current, app, odd]
}

fn apps() -> Vec<SessionRow> {
    let phone = SessionRow {
        id: text("s_9q4v7z"),
        device: text("okhttp 4.12 on Android"),
        address: text("198.51.100.23"),
        transport: Transport::Token,
        remembered: false,
        created: NOW - 12 * DAY,
        last_used: NOW - 3 * MINUTE,
        current: false,
    };
    let unknown =
        SessionRow { id: text("s_5b2n8k"), device: String::new(), address: String::new(), ..phone.clone() };
    vec![phone, unknown]
}

fn applications() -> Vec<ApplicationRow> {
    let grafana = ApplicationRow {
        client_id: text("grafana"),
        name: text("Grafana"),
        scopes: vec![text("openid"), text("email")],
        resources: Vec::new(),
        offline: false,
        since: NOW - 40 * DAY,
        last_used: NOW - 2 * MINUTE,
    };
    let tool = ApplicationRow {
        client_id: text("https://tool.example.com/client"),
        name: text("Tool"),
        scopes: vec![text("files:read"), text("offline_access")],
        resources: vec![text("https://files.example.com")],
        offline: true,
        ..grafana.clone()
    };
    vec![grafana, tool]
}

/// What Ada says of herself.
fn said(detail: Detail) -> &'static str {
    match detail {
        Detail::GivenName => "Augusta",
        Detail::MiddleName => "Ada",
        Detail::FamilyName => "Lovelace",
        Detail::Nickname => "Ada",
        Detail::PhoneNumber => "+442079460000",
        Detail::StreetAddress => "c/o Charles Babbage\n12 St James’s Square",
        Detail::Locality => "London",
        Detail::Region => "Greater London",
        Detail::PostalCode => "SW1Y 4JH",
        Detail::Country => "United Kingdom",
        Detail::Profile => "https://people.example.com/ada",
        Detail::Picture => "https://people.example.com/ada.jpg",
        Detail::Website => "https://analytical.example/notes?engine=1&letter=G",
        Detail::Gender => "female",
        Detail::Birthdate => "1815-12-10",
        Detail::Zoneinfo => "Europe/London",
        Detail::Locale => "en-GB",
    }
}

fn account() -> Vec<Sample> {
    let full = AccountPage {
        csrf: text("token-1"),
        now: NOW,
        username: text("ada"),
        display_name: text("Ada Lovelace"),
        email: text("ada@example.com"),
        email_verified: true,
        details: Detail::ALL.into_iter().map(|detail| (detail, text(said(detail)))).collect(),
        phone_verified: true,
        is_more_open: false,
        groups: vec![text("analysts"), text("wiki-editors")],
        sessions: sessions(),
        apps: apps(),
        applications: applications(),
        key_reused: None,
        notice: None,
        errors: Vec::new(),
        limits: LIMITS,
    };
    let bare = AccountPage {
        display_name: String::new(),
        email: String::new(),
        email_verified: false,
        details: Detail::ALL.into_iter().map(|detail| (detail, String::new())).collect(),
        phone_verified: false,
        groups: Vec::new(),
        sessions: sessions().into_iter().take(1).collect(),
        apps: Vec::new(),
        applications: Vec::new(),
        ..full.clone()
    };
    let apps_alone = AccountPage { apps: apps(), key_reused: Some(NOW - 2 * DAY), ..bare.clone() };
    let wrong = AccountPage {
        errors: vec![
            FieldProblem { field: Field::Form, problem: Problem::FormExpired },
            FieldProblem { field: Field::CurrentPassword, problem: Problem::CurrentPasswordWrong },
            FieldProblem { field: Field::Password, problem: Problem::ContainsName },
        ],
        ..full.clone()
    };
    let every = AccountPage { errors: every_problem(), is_more_open: true, ..full.clone() };
    let more = AccountPage { is_more_open: true, ..full.clone() };
    let more_wrong = AccountPage {
        errors: vec![
            FieldProblem { field: Field::Detail(Detail::PhoneNumber), problem: Problem::PhoneInvalid },
            FieldProblem { field: Field::Detail(Detail::Website), problem: Problem::WebAddressInvalid },
            FieldProblem { field: Field::Detail(Detail::Birthdate), problem: Problem::BirthdateInvalid },
        ],
        phone_verified: false,
        ..more.clone()
    };
    let notices = [
        AccountNotice::ProfileSaved,
        AccountNotice::PasswordChanged,
        AccountNotice::SessionEnded,
        AccountNotice::OthersEnded,
        AccountNotice::ApplicationEnded,
    ];
    let mut samples = vec![
        Sample::new("account", ADA, &full),
        Sample::new("account-bare", ADMIN, &bare),
        Sample::new("account-apps", ADA, &apps_alone),
        Sample::new("account-wrong", ADA, &wrong),
        Sample::new("account-every", ADA, &every),
        Sample::new("account-more", ADA, &more),
        Sample::new("account-more-wrong", ADA, &more_wrong),
    ];
    for (number, notice) in notices.into_iter().enumerate() {
        let page = AccountPage { notice: Some(notice), ..full.clone() };
        samples.push(Sample::new(&format!("account-notice-{number}"), ADA, &page));
    }
    samples
}

fn admin() -> Vec<Sample> {
    let row = |id: &str, username: &str, display_name: &str, groups: &[&str], sessions| PersonRow {
        id: text(id),
        username: text(username),
        display_name: text(display_name),
        email: (id != "p3").then(|| format!("{username}@example.com")),
        groups: groups.iter().map(|group| text(group)).collect(),
        disabled: id == "p4",
        sessions,
    };
    let people = PeoplePage {
        query: String::new(),
        people: vec![
            row("p1", "ada", "Ada Lovelace", &["analysts", "wiki-editors"], Some(3)),
            row("p2", "grace", "Grace Hopper", &["admins"], Some(1)),
            row("p3", "éva", "", &[], None),
            row("p4", "konrad", "Konrad Zuse", &["builders"], Some(0)),
        ],
        next: Some(text("/admin?after=p4&q=")),
    };
    let none = PeoplePage { people: Vec::new(), next: None, ..people.clone() };
    let not_found = PeoplePage { query: text("nobody"), ..none.clone() };
    let person = PersonPage {
        csrf: text("token-1"),
        now: NOW,
        id: text("p1"),
        username: text("ada"),
        display_name: text("Ada Lovelace"),
        email: Some(text("ada@example.com")),
        email_verified: true,
        details: Detail::ALL
            .into_iter()
            .map(|field| PersonDetail {
                field,
                value: text(said(field)),
                is_verified: field == Detail::PhoneNumber,
            })
            .collect(),
        groups: vec![text("analysts"), text("wiki-editors")],
        disabled: false,
        is_self: false,
        created: NOW - 400 * DAY,
        changed: NOW - 3 * DAY,
        sessions: sessions().into_iter().skip(1).chain(apps()).collect(),
        applications: Vec::new(),
        notice: None,
        reset_link: None,
    };
    let me =
        PersonPage { is_self: true, sessions: sessions(), applications: applications(), ..person.clone() };
    let disabled = PersonPage {
        disabled: true,
        display_name: String::new(),
        email: None,
        email_verified: false,
        details: Vec::new(),
        groups: Vec::new(),
        sessions: Vec::new(),
        notice: Some(PersonNotice::Disabled),
        ..person.clone()
    };
    let issued = PersonPage {
        notice: Some(PersonNotice::ResetIssued),
        reset_link: Some(text("https://login.example.com/reset?code=K7QM-2XWD-9PTV")),
        ..person.clone()
    };
    let mut samples = vec![
        Sample::new("people", ADMIN, &people),
        Sample::new("people-none", ADMIN, &none),
        Sample::new("people-not-found", ADMIN, &not_found),
        Sample::new("person", ADMIN, &person),
        Sample::new("person-self", ADMIN, &me),
        Sample::new("person-disabled", ADMIN, &disabled),
        Sample::new("person-issued", ADMIN, &issued),
    ];
    let notices = [
        PersonNotice::SessionEnded,
        PersonNotice::AllEnded,
        PersonNotice::ApplicationEnded,
        PersonNotice::Enabled,
    ];
    for (number, notice) in notices.into_iter().enumerate() {
        let page = PersonPage { notice: Some(notice), ..person.clone() };
        samples.push(Sample::new(&format!("person-notice-{number}"), ADMIN, &page));
    }
    samples
}

fn refusals() -> Vec<Sample> {
    let error = |title, detail: Option<&str>, base_url: Option<&str>| ErrorPage {
        status: 404,
        title,
        detail: detail.map(text),
        code: text("not-found"),
        request_id: if detail.is_some() { String::new() } else { text("01JQ8ZK3M5") },
        base_url: base_url.map(text),
    };
    let mut samples: Vec<Sample> = ErrorTitle::ALL
        .into_iter()
        .map(|title| Sample::new(&format!("error-{title:?}"), NOBODY, &error(title, None, None)))
        .collect();
    let detail = error(ErrorTitle::Internal, Some("The store did not answer within two seconds."), None);
    samples.push(Sample::new("error-detail", ADA, &detail));
    let abroad = error(ErrorTitle::UnknownHost, None, Some("https://login.example.com"));
    samples.push(Sample::new("error-abroad", NOBODY, &abroad));
    let missing = [
        ("groups", Missing::Groups { groups: vec![text("admins"), text("wiki-owners")] }),
        ("network", Missing::Network),
        ("not-listed", Missing::NotListed),
    ];
    for (name, missing) in missing {
        let page = ForbiddenPage {
            display_name: if name == "network" { String::new() } else { text("Ada Lovelace") },
            username: text("ada"),
            host: text("wiki.example.com"),
            path: text("/admin/settings?tab=users"),
            missing,
            switch_url: text("https://login.example.com/logout?return_to=https%3A%2F%2Fwiki.example.com%2F"),
            account_url: text("https://login.example.com/account"),
            base_url: text("https://login.example.com"),
        };
        samples.push(Sample::new(&format!("forbidden-{name}"), NOBODY, &page));
    }
    samples
}
