//! `tidings send --test`

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use super::output;
use crate::app;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::Config;
use crate::letters;
use crate::message::{Compiled, Message, Recipient};
use crate::renderer::Templates;
use crate::transport::{Announced, Content, Envelope, Transport};
use crate::types::{EmailAddress, Fields, MailingId, SubscriberId};

/// Send the newest digest to one address, exactly as subscribers get it, outside of every mailing.
///
/// The subject is marked as a test, and the unsubscribe link leads to nobody.
#[derive(Debug, Args)]
pub struct Send {
    /// Where to send it.
    #[arg(long, value_name = "ADDRESS")]
    test: String,
    /// The newsletter; may be left out when there is only one.
    #[arg(long, value_name = "NAME")]
    newsletter: Option<String>,
}

impl Send {
    pub async fn run(&self, config: Config) -> anyhow::Result<ExitCode> {
        let address = EmailAddress::parse(&self.test).context("--test takes a mail address")?;
        let message = self.message(&config, address).await?;
        let newsletter = output::newsletter(&config, self.newsletter.as_deref())?;
        let transport = Transport::all(&config.mail).into_iter().find(|relay| relay.serves(&newsletter.relays));
        deliver(&transport.context("the newsletter has no relay")?, &message).await?;
        println!("sent to {} as {}", message.to.expose(), message.message_id);
        Ok(ExitCode::SUCCESS)
    }

    async fn message(&self, config: &Config, address: EmailAddress) -> anyhow::Result<Message> {
        let newsletter = output::newsletter(config, self.newsletter.as_deref())?;
        let templates = Templates::load(config.templates.as_deref())?;
        let store = app::open_store(config).await?;
        let issues = store.newest_revisions(&newsletter.id, 1).await?;
        if issues.is_empty() {
            bail!("nothing is published yet; run `tidings serve` once, or `tidings check` to see what is held");
        }
        let cadence = newsletter.cadences.first().context("the newsletter has no cadence")?;
        let mut letter =
            letters::digest(&config.server.url, &templates, newsletter, cadence, &issues, Clock::system().now())?;
        letter.subject = format!("[Test] {}", letter.subject);
        let recipient = Recipient {
            bucket: address.key().bucket(store.buckets()),
            subscriber: SubscriberId::from_bytes([0; 10]),
            address,
            request: 0,
            fields: Fields::default(),
        };
        // A mailing of its own each time: mail programs hide a second mail with the Message-ID of the first.
        let mailing = MailingId::from_bytes(Chance::system().bytes()?);
        let compiled = Compiled::new(mailing, &letter, store.key(), &app::signers(config)?)?;
        store.close().await;
        Ok(compiled.splice(&recipient)?)
    }
}

/// One message over one connection.
async fn deliver(transport: &Transport, message: &Message) -> anyhow::Result<()> {
    let mut connection = transport.connect().await?;
    let envelope = Envelope { from: message.return_path.clone(), to: message.to.clone() };
    let round = connection.round(None, Some(&envelope)).await;
    if let Some(error) = round.broken {
        return Err(error.into());
    }
    match round.envelope {
        Some(Announced::Ready) => {}
        Some(Announced::Refused { phase, reply }) => bail!("{phase:?} was refused: {} {}", reply.code, reply.text),
        None => bail!("the relay said nothing"),
    }
    let round = connection.round(Some(&Content::new(message.pieces.clone())?), None).await;
    match round.content {
        Some(reply) if reply.code == 250 => {}
        Some(reply) => bail!("the mail was refused: {} {}", reply.code, reply.text),
        None => return Err(round.broken.map_or_else(|| anyhow::anyhow!("the relay said nothing"), Into::into)),
    }
    connection.quit().await;
    Ok(())
}
