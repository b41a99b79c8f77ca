//! The conformance suite of the store: every function, on SQLite and on PostgreSQL, with the races that the databases decide.
#![allow(clippy::unwrap_used, clippy::panic)] // all of this is tests; clippy's own allowance ends at functions marked #[test]

/// Runs each of the named functions as a test on both databases.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::world::World::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(world) = crate::world::World::postgres().await {
                    super::$name(world).await;
                }
            })*
        }
    };
}

#[path = "store/issues.rs"]
mod issues;
#[path = "store/leases.rs"]
mod leases;
#[path = "store/ledger.rs"]
mod ledger;
#[path = "store/mailings.rs"]
mod mailings;
#[path = "store/memberships.rs"]
mod memberships;
#[path = "store/model.rs"]
mod model;
#[path = "store/opening.rs"]
mod opening;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "store/subscribers.rs"]
mod subscribers;
#[path = "store/world.rs"]
mod world;
