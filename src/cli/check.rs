//! `tidings check`

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use url::Url;

use super::output;
use crate::app;
use crate::clock::Clock;
use crate::config::{Config, Newsletter};
use crate::content::Source;
use crate::issue::identity::{Parsed, Texts, match_up};
use crate::issue::{self, Issue};
use crate::letters;
use crate::renderer::{self, Documents, Links, Templates};
use crate::site;
use crate::types::Finding;
use crate::watcher::Pages;

/// Check the configuration and every document, without a database. The exit status is 1 when something is wrong.
///
/// Run it in the CI of the content repository: it finds what would hold an issue before anyone waits for it.
#[derive(Debug, Args)]
pub struct Check {
    /// Longest time for fetching a repository, in seconds.
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    timeout: u64,
}

#[derive(Default, Serialize)]
struct Report {
    newsletters: Vec<Checked>,
    findings: Vec<Line>,
    /// What is left out of documents that are published all the same.
    warnings: Vec<Line>,
    errors: Vec<String>,
}

#[derive(Serialize)]
struct Checked {
    newsletter: String,
    issues: usize,
    drafts: usize,
    future: usize,
    /// Documents whose metadata does not meet `only`.
    others: usize,
}

#[derive(Serialize)]
struct Line {
    newsletter: String,
    rule: &'static str,
    path: String,
    line: Option<u32>,
    message: String,
    remedy: String,
    #[serde(skip)]
    text: String,
}

impl Check {
    pub async fn run(&self, config: Config, json: bool) -> anyhow::Result<ExitCode> {
        let mut report = Report::default();
        let templates = Templates::load(config.templates.as_deref());
        if let Err(error) = &templates {
            report.errors.push(error.to_string());
        }
        let now = Clock::system().now();
        let looker = Looker { base: &config.server.url, templates: templates.as_ref().ok(), now };
        let (sources, sites) = (app::open_sources(&config)?, app::open_pages(&config)?);
        for newsletter in &config.newsletters {
            let Some(source) = sources.get(&newsletter.id) else { continue };
            let what = format!("reading {}", newsletter.id);
            let pages = sites.get(&newsletter.id).and_then(|site| Pages::new(newsletter, site));
            let checked = self.newsletter(newsletter, source, pages.as_ref(), &looker, &mut report);
            if let Err(error) = output::waiting(&what, checked).await {
                report.errors.push(format!("{}: {error}", newsletter.id));
            }
        }
        report.print(json)
    }

    async fn newsletter(
        &self,
        newsletter: &Newsletter,
        source: &Source,
        pages: Option<&Pages>,
        looker: &Looker<'_>,
        report: &mut Report,
    ) -> Result<(), crate::content::SourceError> {
        let snapshot = source.snapshot(Duration::from_secs(self.timeout)).await?;
        let documents = source.read_dated(&snapshot, &snapshot.documents, &newsletter.reading).await?;
        let built = match pages {
            Some(pages) => {
                let site = pages.snapshot(Duration::from_secs(self.timeout)).await?;
                Some(pages.of(&site, documents.iter().flatten(), &newsletter.reading).await?)
            }
            None => None,
        };
        let (mut findings, mut warnings, mut issues, mut others) = (snapshot.refused, Vec::new(), Vec::new(), 0);
        for read in documents {
            let parsed = read.and_then(|mut document| {
                let mut issue = issue::parse(&document, &newsletter.reading)?;
                if let (Some(built), Some(issue)) = (&built, issue.as_mut().filter(|issue| !issue.draft)) {
                    built.fill(&mut document, issue)?;
                }
                Ok((document.path, issue))
            });
            match parsed {
                Ok((_, None)) => others += 1,
                // A draft may be a template.
                Ok((path, Some(issue))) if issue.draft => issues.push((path, issue)),
                Ok((path, Some(issue))) => match renderer::check(&issue, &path) {
                    Ok(found) => {
                        warnings.extend(found);
                        warnings.extend(looker.too_long(newsletter, &issue, &path));
                        issues.push((path, issue));
                    }
                    Err(finding) => findings.push(finding),
                },
                Err(finding) => findings.push(finding),
            }
        }
        let ids: Vec<_> =
            issues.iter().map(|(path, issue)| Parsed { path: path.clone(), id: issue.id.clone() }).collect();
        findings.extend(match_up(&[], &snapshot.documents, &ids, &Texts::default()).duplicates);
        findings.sort_by(|a, b| (&a.place.path, a.place.line).cmp(&(&b.place.path, b.place.line)));
        report.newsletters.push(Checked::new(newsletter, &issues, others));
        report.findings.extend(findings.iter().map(|finding| Line::new(newsletter, finding)));
        report.warnings.extend(warnings.iter().map(|finding| Line::new(newsletter, finding)));
        Ok(())
    }
}

/// Looks at the mails that documents would become.
struct Looker<'c> {
    base: &'c Url,
    templates: Option<&'c Templates>,
    now: DateTime<Utc>,
}

impl Looker<'_> {
    /// Of an issue that may still be mailed: what is older is archive, and the mails of an archive are nobody's concern.
    fn too_long(&self, newsletter: &Newsletter, issue: &Issue, path: &str) -> Option<Finding> {
        let age = (self.now - issue.date.to_utc()).to_std().unwrap_or_default();
        if age > newsletter.caution.max_age {
            return None;
        }
        let rule = newsletter.permalink.as_ref().and_then(|rule| rule.url(issue, path));
        let url = rule.unwrap_or_else(|| site::issue(self.base, &newsletter.id, &issue.slug));
        let links = Links {
            path: path.to_owned(),
            issue: url,
            files: Some(site::files(self.base, &newsletter.id)),
            documents: Arc::new(Documents::from(HashMap::new())),
            labels: self.templates?.phrases(issue.language.as_ref().unwrap_or(&newsletter.language)).into(),
        };
        let content = renderer::render(issue, &links);
        let fit = letters::fit_of(self.base, self.templates?, newsletter, issue, &links.issue, &content).ok()?;
        letters::finding(&fit, newsletter, path)
    }
}

impl Checked {
    fn new(newsletter: &Newsletter, issues: &[(String, Issue)], others: usize) -> Self {
        let now = Clock::system().now();
        let drafts = issues.iter().filter(|(_, issue)| issue.draft).count();
        let future = issues.iter().filter(|(_, issue)| !issue.draft && issue.date > now).count();
        Self { newsletter: newsletter.id.to_string(), issues: issues.len() - drafts - future, drafts, future, others }
    }
}

impl Line {
    fn new(newsletter: &Newsletter, finding: &Finding) -> Self {
        Self {
            newsletter: newsletter.id.to_string(),
            rule: finding.rule.as_str(),
            path: finding.place.path.clone(),
            line: finding.place.line,
            message: finding.message.clone(),
            remedy: finding.remedy.clone(),
            text: finding.to_string(),
        }
    }
}

impl Report {
    fn print(&self, json: bool) -> anyhow::Result<ExitCode> {
        if json {
            output::json(self)?;
        } else {
            for line in &self.findings {
                println!("{}", line.text);
            }
            for line in &self.warnings {
                println!("warning: {}", line.text);
            }
            for error in &self.errors {
                println!("error: {error}");
            }
            for checked in &self.newsletters {
                let Checked { newsletter, issues, drafts, future, others } = checked;
                let left_out = if *others > 0 { format!(", {others} not of this newsletter") } else { String::new() };
                println!(
                    "{newsletter}: {}, {}, {future} dated in the future{left_out}",
                    output::count(*issues, "issue"),
                    output::count(*drafts, "draft")
                );
            }
            println!(
                "{}",
                if self.is_good() {
                    "all is well".to_owned()
                } else {
                    output::count(self.findings.len() + self.errors.len(), "problem")
                }
            );
        }
        Ok(if self.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn is_good(&self) -> bool {
        self.findings.is_empty() && self.errors.is_empty()
    }
}
