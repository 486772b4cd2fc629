//! What clients do.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Client, Scene, ask_for};
use crate::cluster::PASSWORD;
use crate::history::{Kind, NO_SECRET, Operation, Outcome};
use crate::people::{Held, Key, Tokens, name};
use crate::wire::{Answer, Question};

/// A refresh token of which it is not known whether it was used counts for half a minute; then it would be taken for a stolen one.
const DOUBT: Duration = Duration::from_secs(15);

impl Client {
    pub(super) async fn sign_in(&mut self, person: usize) {
        let node = self.node();
        let mut operation = Operation::new(Kind::Create, NO_SECRET, person);
        (operation.client, operation.node) = (self.number, node);
        let answer = self.ask(&mut operation, login(person)).await;
        match answer.filter(|_| operation.outcome == Outcome::Ok) {
            Some(answer) => self.begin(operation, &answer),
            None => self.scene.recorder.add(operation),
        }
    }

    /// Takes up the session that an answer gives.
    fn begin(&self, mut operation: Operation, answer: &Answer) {
        let id = answer.text(&["session", "id"]).unwrap();
        let text = answer.cookie().unwrap();
        let mut pool = self.scene.pool.lock();
        let number = pool.begin(operation.person, id.clone(), Key::Cookie { text, secret: 0, made: 0 });
        (operation.session, operation.secret) = (i64::try_from(number).unwrap(), 0);
        operation.expected_name = (name(operation.person), id);
        operation.named = named(answer);
        // Before anybody can use it.
        self.scene.recorder.add(operation);
    }

    pub(super) async fn sign_in_for_tokens(&mut self, person: usize) {
        let node = self.node();
        let mut operation = Operation::new(Kind::Create, NO_SECRET, person);
        (operation.client, operation.node) = (self.number, node);
        let body = json!({"username": name(person), "password": PASSWORD, "transport": "token"});
        let answer = self.ask(&mut operation, Question::new("POST", "/api/v1/login").body(body)).await;
        if let Some(answer) = answer.filter(|_| operation.outcome == Outcome::Ok) {
            let id = answer.text(&["session", "id"]).unwrap();
            let number = self.scene.pool.lock().begin(person, id.clone(), Key::Tokens(tokens(&answer)));
            operation.session = i64::try_from(number).unwrap();
            operation.expected_name = (name(person), id);
            operation.named = named(&answer);
        }
        self.scene.recorder.add(operation);
    }

    pub(super) async fn check(&mut self, held: &Held) {
        if !held.is_fresh() {
            return;
        }
        let node = self.node();
        let mut operation = self.operation(Kind::Check, held, node);
        who(&self.scene, &mut operation, held).await;
        self.scene.recorder.add(operation);
    }

    pub(super) async fn read(&mut self, held: &Held) {
        let node = self.node();
        self.read_on(held, node).await;
    }

    pub(super) async fn read_on(&mut self, held: &Held, node: usize) {
        let mut operation = self.operation(Kind::Read, held, node);
        let (header, value) = held.header();
        let question = Question::new("GET", "/api/v1/session/data").header(header, value);
        if let Some(answer) = self.ask(&mut operation, question).await
            && operation.outcome == Outcome::Ok
        {
            operation.version = version(&answer);
            operation.value = answer.text(&["value"]).unwrap_or_default();
            self.learn(held, operation.version);
        }
        self.scene.recorder.add(operation);
    }

    /// Writes a value that was never written, mostly on the newest version that anybody knows.
    pub(super) async fn write(&mut self, held: &Held) {
        let node = self.node();
        let mut operation = self.operation(Kind::Write, held, node);
        self.written += 1;
        operation.value = format!("{}-{}-{}", held.number, self.number, self.written);
        let (header, value) = held.header();
        let mut question = Question::new("PATCH", "/api/v1/session/data").header(header, value);
        if self.chance.percent(80) {
            let version = held.version.saturating_sub(u64::from(self.chance.percent(5)));
            question = question.header("if-match", format!("\"{version}\""));
            operation.expected = i64::try_from(version).unwrap();
        }
        let question = question.body(json!({"value": operation.value}));
        if let Some(answer) = self.ask(&mut operation, question).await {
            match operation.status {
                // Who has no session is given a guest's.
                200 if answer.cookie().is_some() => operation.outcome = Outcome::No,
                200 => {
                    operation.version = version(&answer);
                    let kept = answer.text(&["value"]).unwrap_or_default();
                    assert_eq!(kept, operation.value, "the answer is what was written");
                }
                412 => operation.version = current(&answer),
                _ => {}
            }
            if operation.version > 0 {
                self.learn(held, operation.version);
            }
        }
        self.scene.recorder.add(operation);
    }

    fn learn(&self, held: &Held, version: i64) {
        let version = u64::try_from(version).unwrap();
        self.scene.pool.lock().change(held.number, |held| held.version = held.version.max(version));
    }

    /// Signs in again in the same browser.
    pub(super) async fn elevate(&mut self, held: &Held) {
        let node = self.node();
        let to = {
            let mut pool = self.scene.pool.lock();
            let mut next = 0;
            pool.change(held.number, |held| {
                if let Key::Cookie { made, .. } = &mut held.key {
                    *made += 1;
                    next = *made;
                }
            });
            next
        };
        let mut operation = self.operation(Kind::Elevate, held, node);
        operation.to = to;
        let (header, value) = held.header();
        let answer = self.ask(&mut operation, login(held.person).header(header, value)).await;
        if let Some(answer) = answer.filter(|_| operation.outcome == Outcome::Ok) {
            if answer.text(&["session", "id"]).as_ref() == Some(&held.id) {
                operation.named = named(&answer);
                let cookie = answer.cookie().unwrap();
                self.scene.pool.lock().change(held.number, |held| {
                    if let Key::Cookie { text, secret, .. } = &mut held.key
                        && *secret < to
                    {
                        (*text, *secret) = (cookie, to);
                    }
                });
            } else {
                // The old one was not accepted, and another was begun.
                let mut other = Operation::new(Kind::Create, NO_SECRET, held.person);
                (other.client, other.node, other.status) = (self.number, node, operation.status);
                (other.call, other.returned, other.outcome) =
                    (operation.call, operation.returned, Outcome::Ok);
                self.begin(other, &answer);
                operation.outcome = Outcome::No;
            }
        }
        self.scene.recorder.add(operation);
    }

    /// Refreshes by one token, on several nodes at once.
    pub(super) async fn refresh(&mut self, held: &Held) {
        let Key::Tokens(tokens) = &held.key else { return };
        if tokens.doubtful.is_some_and(|since| since.elapsed() > DOUBT) {
            return;
        }
        let mut asking = tokio::task::JoinSet::new();
        let begun = Instant::now();
        for _ in 0..self.chance.within(1, 4) {
            let node = self.node();
            let mut operation = self.operation(Kind::Refresh, held, node);
            let (scene, token) = (self.scene.clone(), tokens.refresh.clone());
            asking.spawn(async move {
                let question = Question::new("POST", "/api/v1/token/refresh");
                let question = question.body(json!({"refresh_token": token}));
                let answer = ask_for(&scene, &mut operation, question).await;
                let answer = answer.filter(|_| operation.outcome == Outcome::Ok);
                let next = answer.as_ref().map(self::tokens);
                operation.tokens = Some((token, next.as_ref().map(|next| next.refresh.clone())));
                let outcome = operation.outcome;
                scene.recorder.add(operation);
                (outcome, next)
            });
        }
        let came = asking.join_all().await;
        let used = tokens.refresh.clone();
        self.scene.pool.lock().change(held.number, |held| {
            let Key::Tokens(now) = &mut held.key else { return };
            if now.refresh != used {
                return;
            }
            match came.iter().find_map(|(_, next)| next.clone()) {
                Some(next) => *now = next,
                None if came.iter().any(|(outcome, _)| *outcome == Outcome::Unknown) => {
                    now.doubtful.get_or_insert(begun);
                }
                None => {}
            }
        });
    }

    /// Ends the session, in one of the two ways there are.
    pub(super) async fn end(&mut self, held: &Held) {
        let node = self.node();
        let (header, value) = held.header();
        let signs_out = self.chance.percent(50);
        let (kind, question) = if signs_out {
            (Kind::SignOut, Question::new("POST", "/api/v1/logout").body(json!({})))
        } else {
            (Kind::End, Question::new("DELETE", format!("/api/v1/sessions/{}", held.id)))
        };
        let mut operation = self.operation(kind, held, node);
        self.scene.pool.lock().change(held.number, |held| held.over = true);
        self.ask(&mut operation, question.header(header, value)).await;
        self.scene.recorder.add(operation);
    }

    /// Ends all of a person.
    pub(super) async fn end_all(&mut self) {
        let Some(held) = self.one(|held| held.secret() >= 0) else { return };
        let node = self.node();
        let mut operation = self.operation(Kind::EndAll, &held, node);
        operation.session = NO_SECRET;
        let (header, value) = held.header();
        self.scene.pool.lock().change_all_of(held.person, |held| held.over = true);
        let question = Question::new("DELETE", "/api/v1/sessions").header(header, value);
        self.ask(&mut operation, question).await;
        self.scene.recorder.add(operation);
    }
}

/// Asks who is signed in.
pub(super) async fn who(scene: &Scene, operation: &mut Operation, held: &Held) {
    let (header, value) = held.header();
    let question = Question::new("GET", "/api/v1/session").header(header, value);
    if let Some(answer) = ask_for(scene, operation, question).await
        && operation.outcome == Outcome::Ok
    {
        operation.named = named(&answer);
    }
}

fn login(person: usize) -> Question {
    Question::new("POST", "/api/v1/login").body(json!({"username": name(person), "password": PASSWORD}))
}

fn named(answer: &Answer) -> Option<(String, String)> {
    Some((answer.text(&["user", "username"])?, answer.text(&["session", "id"])?))
}

fn tokens(answer: &Answer) -> Tokens {
    let (access, refresh) = (answer.text(&["access_token"]), answer.text(&["refresh_token"]));
    Tokens { access: access.unwrap(), refresh: refresh.unwrap(), issued: Instant::now(), doubtful: None }
}

fn version(answer: &Answer) -> i64 {
    i64::try_from(answer.version().expect("an ETag")).unwrap()
}

/// The version that a refused write is told: "It is at version 3."
fn current(answer: &Answer) -> i64 {
    let detail = answer.text(&["detail"]).unwrap();
    detail.trim_start_matches("It is at version ").trim_end_matches('.').parse().expect(&detail)
}
