//! The conformance suite of the store: every function, on SQLite and on PostgreSQL, with the races that the databases decide.

/// Runs each of the named functions as a test on both databases.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::store::world::World::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(world) = crate::store::world::World::postgres().await {
                    super::$name(world).await;
                }
            })*
        }
    };
}

mod hub;
mod issues;
mod leases;
mod ledger;
mod mailings;
mod memberships;
mod model;
mod opening;
mod returned;
mod subscribers;
mod world;
