//! A gRPC service with tonic that accepts Gateward's access tokens: see docs/verify.md.
//!
//! The service is the health check of gRPC, so that nothing need be generated; yours takes its place.

use std::env;
use std::sync::Arc;

use gateward_guard::verify::{Claims, Stale, StatusPolicy, Verifier};
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

const ADDRESS: &str = "127.0.0.1:3003";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let issuer = env::var("ISSUER").unwrap_or_else(|_| "http://127.0.0.1:8080".into());
    let audience = env::var("AUDIENCE").unwrap_or_else(|_| "https://api.example.com".into());
    let verifier =
        Verifier::for_issuer(issuer).audience(audience).status(StatusPolicy::Push(Stale::Deny)).build()?;
    println!("grpc://{ADDRESS}");
    Ok(Server::builder()
        // Refusals are told as gRPC wants: UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE.
        .layer(verifier.layer())
        .add_service(HealthServer::new(Service))
        .serve(ADDRESS.parse()?)
        .await?)
}

struct Service;

#[tonic::async_trait]
impl Health for Service {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let who = caller(&request)?;
        // The scope that this method demands.
        who.require_scope("read").map_err(|refused| Status::permission_denied(refused.to_string()))?;
        println!("asked by {}", who.subject());
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    type WatchStream = tonic::codegen::BoxStream<HealthCheckResponse>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        caller(&request)?;
        Err(Status::unimplemented("ask again instead"))
    }
}

/// Who called: put there by the layer.
fn caller<T>(request: &Request<T>) -> Result<&Arc<Claims>, Status> {
    request.extensions().get().ok_or_else(|| Status::internal("the layer is missing"))
}
