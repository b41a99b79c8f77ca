//! `tidings render`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use clap::Args;
use tower::ServiceExt;

use super::output;
use super::scratch::Scratch;
use crate::app::App;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, Newsletter};
use crate::feed::Format;
use crate::http;
use crate::letters;
use crate::types::Secret;

/// Write all feeds and pages, and the newest digest, as files, without a database.
///
/// The files are the very bytes that `serve` would answer with, so a static file server can take its place.
#[derive(Debug, Args)]
pub struct Render {
    /// Directory for the files; created when missing.
    outdir: PathBuf,
}

impl Render {
    pub async fn run(&self, mut config: Config) -> anyhow::Result<ExitCode> {
        std::fs::create_dir_all(&self.outdir).with_context(|| format!("cannot create {}", self.outdir.display()))?;
        let scratch = Scratch::new(&self.outdir);
        config.database.url = Secret::new(scratch.url());
        let app = App::open(config, Clock::system(), Chance::system()).await?;
        let result = self.write(&app).await;
        app.store.close().await;
        drop(scratch);
        println!("{} written to {}", output::count(result?, "file"), self.outdir.display());
        Ok(ExitCode::SUCCESS)
    }

    async fn write(&self, app: &App) -> anyhow::Result<usize> {
        for mut watcher in app.watchers() {
            let name = watcher.newsletter().id.clone();
            let tick = output::waiting(&format!("reading {name}"), watcher.tick(app.clock.now())).await;
            let tick = tick.with_context(|| name.to_string())?;
            for finding in tick.held {
                eprintln!("held: {finding}");
            }
        }
        let router = http::public(app.web());
        let progress = output::Progress::new("files written");
        let mut written = 0;
        for (path, file) in paths(app).await? {
            let request = Request::get(&path).body(Body::empty())?;
            let answer = router.clone().oneshot(request).await?;
            if answer.status() != StatusCode::OK {
                // A file that an issue shows and the source has not: the issue is readable without it.
                eprintln!("{path} is left out: {}", answer.status());
                continue;
            }
            let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await?;
            self.put(&file, &bytes)?;
            written += 1;
            progress.at(written);
        }
        for newsletter in &app.config.newsletters {
            written += self.mail(app, newsletter).await?;
        }
        Ok(written)
    }

    fn put(&self, file: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.outdir.join(file);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The digest of the newest issue, as `mail.eml`, `mail.html` and `mail.txt`.
    async fn mail(&self, app: &App, newsletter: &Newsletter) -> anyhow::Result<usize> {
        let issues = app.store.newest_revisions(&newsletter.id, 1).await?;
        let (Some(issue), Some(cadence)) = (issues.first(), newsletter.cadences.first()) else { return Ok(0) };
        let date = issue.date.to_utc();
        let letter = letters::digest(&app.config.server.url, &app.templates, newsletter, cadence, &issues, date)?;
        let message = letters::sample(&letter, app.store.key(), app.store.buckets())?;
        let below = |name: &str| format!("{}/{name}", newsletter.id);
        self.put(&below("mail.eml"), &message.bytes)?;
        self.put(&below("mail.html"), letters::shown(&letter.html).as_bytes())?;
        self.put(&below("mail.txt"), letters::shown(&letter.text).as_bytes())?;
        Ok(3)
    }
}

/// Every path that readers can GET, with the name of its file.
async fn paths(app: &App) -> anyhow::Result<Vec<(String, String)>> {
    let mut paths = vec![(format!("/{}", app.templates.style_name()), app.templates.style_name().to_owned())];
    if app.config.newsletters.len() > 1 {
        paths.push(("/".into(), "index.html".into()));
    }
    for newsletter in &app.config.newsletters {
        let name = &newsletter.id;
        paths.push((format!("/{name}/"), format!("{name}/index.html")));
        for format in Format::ALL {
            let file = format!("{name}/{}", format.file_name());
            paths.push((format!("/{file}"), file));
        }
        let revisions = app.store.newest_revisions(name, i32::MAX as usize).await?;
        let mut files = std::collections::BTreeSet::new();
        for revision in revisions {
            let page = format!("{name}/issues/{}", revision.slug);
            paths.push((format!("/{page}"), format!("{page}/index.html")));
            files.extend(revision.content.assets);
        }
        for file in files {
            if Path::new(&file).components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
                bail!("{file:?} is not a path below the source");
            }
            let base = crate::site::files(&app.config.server.url, name);
            let url = base.join(&encoded(&file))?;
            let request = url.path().trim_start_matches(app.config.server.url.path().trim_end_matches('/'));
            paths.push((request.to_owned(), format!("{name}/files/{file}")));
        }
    }
    Ok(paths)
}

/// A path as a relative reference: `./` keeps a colon in its first segment from reading as a scheme.
fn encoded(path: &str) -> String {
    format!("./{}", path.replace('%', "%25").replace('?', "%3F").replace('#', "%23"))
}
