//! The scheduler: at each occurrence of a cadence, opens the mailing of what is news.
//!
//! It decides nothing that another node could decide differently at the same time: the store refuses the slower one.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::chance::{Chance, NoChance};
use crate::config::{Cadence, Config, Newsletter};
use crate::digest::{self, Selection};
use crate::letters;
use crate::renderer::{TemplateError, Templates};
use crate::schedule::{Due, Occurrence};
use crate::store::{CadenceState, NewMailing, Store, StoreError};
use crate::types::MailingId;

/// The scheduler of all newsletters of an install.
#[derive(Debug)]
pub struct Scheduler {
    /// Where mailings are opened.
    pub store: Store,
    /// What mails look like.
    pub templates: Arc<Templates>,
    /// Newsletters and their cadences.
    pub config: Arc<Config>,
    /// For the ids of mailings.
    pub chance: Chance,
}

/// What one look at one cadence led to, where it led to something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A mailing was opened.
    Opened {
        /// Which.
        mailing: MailingId,
        /// How many issues it holds.
        issues: usize,
    },
    /// An occurrence was missed by more than its grace period.
    Missed {
        /// `NEWSLETTER/CADENCE`.
        cadence: String,
        /// Which.
        occurrence: Occurrence,
    },
}

/// Why an occurrence could not be dealt with. It stays due.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleTickError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The mail could not be rendered.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// No randomness for an id.
    #[error(transparent)]
    Chance(#[from] NoChance),
}

impl Scheduler {
    /// Looks at every cadence once.
    ///
    /// # Errors
    /// At the first cadence that fails; those before it are dealt with.
    pub async fn tick(&self, now: DateTime<Utc>) -> Result<Vec<Event>, ScheduleTickError> {
        let mut events = Vec::new();
        for newsletter in &self.config.newsletters {
            for cadence in &newsletter.cadences {
                events.extend(self.look(newsletter, cadence, now).await?);
            }
        }
        Ok(events)
    }

    async fn look(
        &self,
        newsletter: &Newsletter,
        cadence: &Cadence,
        now: DateTime<Utc>,
    ) -> Result<Option<Event>, ScheduleTickError> {
        let local = now.with_timezone(&cadence.schedule.timezone()).naive_local();
        let state = self.store.cadence_state(&newsletter.id, &cadence.id, now, local).await?;
        match cadence.schedule.due(state.last, now, cadence.grace) {
            Due::Nothing => Ok(None),
            Due::Missed(occurrence) => {
                let first = self.store.pass(&newsletter.id, &cadence.id, state.last, occurrence.local).await?;
                let cadence = format!("{}/{}", newsletter.id, cadence.id);
                Ok(first.then_some(Event::Missed { cadence, occurrence }))
            }
            Due::Fire(occurrence) => self.fire(newsletter, cadence, state, occurrence, now).await,
        }
    }

    async fn fire(
        &self,
        newsletter: &Newsletter,
        cadence: &Cadence,
        state: CadenceState,
        occurrence: Occurrence,
        now: DateTime<Utc>,
    ) -> Result<Option<Event>, ScheduleTickError> {
        let candidates = self.store.candidates(&newsletter.id, &cadence.id).await?;
        let due = digest::Due { since: state.since, settle: newsletter.settle, fired_at: occurrence.at, now };
        let issues = match digest::select(candidates, &due) {
            Selection::Wait => return Ok(None),
            Selection::Nothing => {
                self.store.pass(&newsletter.id, &cadence.id, state.last, occurrence.local).await?;
                return Ok(None);
            }
            Selection::Mail(issues) => issues,
        };
        let mailing = NewMailing {
            mailing: MailingId::from_bytes(self.chance.bytes()?),
            newsletter: newsletter.id.clone(),
            cadence: cadence.id.clone(),
            occurrence: occurrence.local,
            last: state.last,
            letter: letters::digest(&self.config.server.url, &self.templates, newsletter, cadence, &issues, now)?,
            issues: issues.iter().map(|revision| (revision.issue.clone(), revision.number)).collect(),
            now,
        };
        let opened = self.store.open_mailing(&mailing).await?;
        Ok(opened.then_some(Event::Opened { mailing: mailing.mailing, issues: issues.len() }))
    }
}
