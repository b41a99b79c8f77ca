//! File notification for a directory, as a speed-up: polling is what finds every change.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Editors save in several steps; a change is told when they have been still for this long.
const STILL: Duration = Duration::from_millis(200);

/// A directory that never is still is told of after this many waits.
const MOST_WAITS: u32 = 10;

/// Watches one directory, from the first call of [`Watch::changed`] on.
#[derive(Debug)]
pub(super) struct Watch {
    root: PathBuf,
    seen: Arc<Seen>,
    watcher: Mutex<Option<RecommendedWatcher>>,
}

/// What the watcher's thread tells us.
#[derive(Debug, Default)]
struct Seen {
    change: Notify,
    /// The root itself was removed, renamed or cannot be watched any more: a new watcher is needed.
    lost: AtomicBool,
}

impl Watch {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, seen: Arc::default(), watcher: Mutex::default() }
    }

    /// Returns after a change; never when the directory cannot be watched.
    pub(super) async fn changed(&self) {
        if !self.is_watching() {
            self.start().await;
        }
        self.seen.change.notified().await;
        for _ in 0..MOST_WAITS {
            if tokio::time::timeout(STILL, self.seen.change.notified()).await.is_err() {
                return;
            }
        }
    }

    fn is_watching(&self) -> bool {
        let watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        watcher.is_some() && !self.seen.lost.load(Ordering::SeqCst)
    }

    async fn start(&self) {
        let (root, seen) = (self.root.clone(), Arc::clone(&self.seen));
        self.seen.lost.store(false, Ordering::SeqCst);
        let made = tokio::task::spawn_blocking(move || watcher(&root, seen)).await;
        let watcher = match made {
            Ok(Ok(watcher)) => Some(watcher),
            Ok(Err(error)) => {
                tracing::debug!(directory = %self.root.display(), %error, "no file notification, polling only");
                None
            }
            Err(_) => None, // the runtime shuts down
        };
        *self.watcher.lock().unwrap_or_else(PoisonError::into_inner) = watcher;
    }
}

fn watcher(root: &Path, seen: Arc<Seen>) -> notify::Result<RecommendedWatcher> {
    let watched = root.to_owned();
    let tell = move |event: notify::Result<Event>| match event {
        Ok(event) if !matters(&event, &watched) => {}
        Ok(event) => {
            if is_about_root(&event, &watched) {
                seen.lost.store(true, Ordering::SeqCst);
            }
            seen.change.notify_one();
        }
        Err(_) => {
            seen.lost.store(true, Ordering::SeqCst);
            seen.change.notify_one();
        }
    };
    let mut watcher = notify::recommended_watcher(tell)?;
    watcher.watch(root, RecursiveMode::Recursive)?;
    Ok(watcher)
}

/// Not our own reading, and not what git does in `.git` of a checkout.
fn matters(event: &Event, root: &Path) -> bool {
    let hidden = |path: &PathBuf| {
        let below = path.strip_prefix(root).unwrap_or(path);
        below.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."))
    };
    !matches!(event.kind, EventKind::Access(_)) && (event.paths.is_empty() || !event.paths.iter().all(hidden))
}

fn is_about_root(event: &Event, root: &Path) -> bool {
    matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)))
        && event.paths.iter().any(|path| path == root)
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, CreateKind, RemoveKind};

    use super::*;

    #[test]
    fn reading_and_hidden_files_do_not_matter() {
        let event = |kind, path: &str| Event::new(kind).add_path(path.into());
        let root = Path::new("/news");
        assert!(matters(&event(EventKind::Create(CreateKind::File), "/news/a.md"), root));
        assert!(matters(&Event::new(EventKind::Other), root), "events were lost");
        assert!(!matters(&event(EventKind::Access(AccessKind::Any), "/news/a.md"), root));
        assert!(!matters(&event(EventKind::Create(CreateKind::File), "/news/.git/index.lock"), root));
        assert!(matters(&event(EventKind::Create(CreateKind::File), "/.hidden/a.md"), Path::new("/.hidden")));
        assert!(is_about_root(&event(EventKind::Remove(RemoveKind::Folder), "/news"), root));
        assert!(!is_about_root(&event(EventKind::Remove(RemoveKind::Folder), "/news/2020"), root));
    }
}
