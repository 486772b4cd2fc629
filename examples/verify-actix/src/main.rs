//! An actix-web API that accepts Gateward's access tokens: see docs/verify.md.

use std::env;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{App, FromRequest, HttpRequest, HttpResponse, HttpServer, ResponseError, get, post, web};
use gateward_guard::bearer::BearerRejection;
use gateward_guard::verify::{Claims, Stale, StatusPolicy, Verifier};

const ADDRESS: &str = "127.0.0.1:3002";

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let issuer = env::var("ISSUER").unwrap_or_else(|_| "http://127.0.0.1:8080".into());
    let audience = env::var("AUDIENCE").unwrap_or_else(|_| "https://api.example.com".into());
    // One for all workers: they share what it knows.
    let verifier =
        Verifier::for_issuer(issuer).audience(audience).status(StatusPolicy::Push(Stale::Deny)).build()?;
    let verifier = web::Data::new(verifier);
    println!("http://{ADDRESS}/me");
    let app = move || App::new().app_data(verifier.clone()).service(me).service(write);
    Ok(HttpServer::new(app).bind(ADDRESS)?.run().await?)
}

/// Everybody with a good token.
#[get("/me")]
async fn me(who: Caller) -> String {
    format!("{} by {}, allowed: {}\n", who.subject(), who.client().unwrap_or("-"), who.scope())
}

/// Only with the scope `write`.
#[post("/articles")]
async fn write(who: Caller) -> Result<String, Refused> {
    who.require_scope("write")?;
    Ok(format!("written by {}\n", who.subject()))
}

/// Whoever comes with a good token.
struct Caller(Arc<Claims>);

impl Deref for Caller {
    type Target = Claims;
    fn deref(&self) -> &Claims {
        &self.0
    }
}

impl FromRequest for Caller {
    type Error = Refused;
    type Future = Pin<Box<dyn Future<Output = Result<Caller, Refused>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let verifier = request.app_data::<web::Data<Verifier>>().ok_or(Refused::Forgotten)?;
            let headers: &HeaderMap = request.headers();
            let values = headers.get_all(header::AUTHORIZATION).map(|value| value.as_bytes());
            Ok(Caller(verifier.authorize(values).await?))
        })
    }
}

/// The answer of RFC 6750 in the types of actix.
#[derive(Debug)]
enum Refused {
    Token(Box<BearerRejection>),
    /// The verifier is not among the application's data.
    Forgotten,
}

impl From<BearerRejection> for Refused {
    fn from(rejection: BearerRejection) -> Self {
        Refused::Token(Box::new(rejection))
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refused::Token(rejection) => rejection.fmt(f),
            Refused::Forgotten => f.write_str("there is no verifier"),
        }
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        match self {
            Refused::Token(rejection) => {
                StatusCode::from_u16(rejection.status().as_u16()).unwrap_or_default()
            }
            Refused::Forgotten => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        if let Refused::Token(rejection) = self {
            for (name, value) in &rejection.headers() {
                answer.insert_header((name.as_str(), value.as_bytes()));
            }
        }
        answer.body(format!("{self}\n"))
    }
}
