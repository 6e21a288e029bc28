//! Receiving: a stream through a relay, letters to disk, then acknowledged, then shown.

mod show;
mod take;
mod tell;

use std::{future::Future, path::PathBuf, pin::Pin, time::Duration};

use layer_minus_client_sdk::{AckBook, Acknowledgement, Backoff, Desk, Identity, answer};
use layer_minus_delivery::Mode;
use layer_minus_http::clock;
use layer_minus_message::{Answer, Content, NodeRecord};
use rand::rngs::OsRng;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::{
    args,
    context::Context,
    directory, enroll,
    error::AppError,
    link::{self, Listening, Relay},
};

/// How long acknowledgements are collected before they are told.
const ACK_AFTER: Duration = Duration::from_millis(250);
/// How long to wait before telling again what could not be told.
const ACK_AGAIN: Duration = Duration::from_secs(5);
/// How many packets are taken before they are told at once.
const ACK_PACKETS: u32 = 32;
/// `--once` ends when nothing came for so long.
const ONCE_IDLE: Duration = Duration::from_secs(5);
/// The same when the node says that nothing waits: what it dropped is told right after.
const ONCE_NOTHING: Duration = Duration::from_millis(500);
/// How long the last acknowledgements may take.
const LAST_ACKS: Duration = Duration::from_secs(15);

type Telling = Pin<Box<dyn Future<Output = (Acknowledgement, Result<(), AppError>)>>>;

/// A running `listen`.
pub(crate) struct Session<'a> {
    ctx: &'a mut Context,
    identity: Identity,
    via: args::Via,
    mode: Mode,
    folder: PathBuf,
    once: bool,
    count: Option<u64>,
    deadline: Option<Instant>,
    book: AckBook,
    taken: u32,
    shown: u64,
    /// Whether the stream that is open brought more than its opening.
    fruitful: bool,
    /// The relay of the last stream that broke and had brought nothing.
    doubted: Option<String>,
}

/// Why a stream was left.
enum Left {
    /// What was asked for is done.
    Done,
    /// It broke.
    Broken(AppError),
}

/// A stream that is open.
pub(crate) struct Opened {
    pub(crate) relay: Relay,
    pub(crate) node: NodeRecord,
    pub(crate) stream: Listening,
}

/// Runs `client listen`, on a stream that is open already if there is one.
pub(crate) async fn run(
    ctx: &mut Context,
    args: args::Listen,
    opened: Option<Opened>,
) -> Result<(), AppError> {
    let mut identity = ctx.identity()?;
    let mode = Mode::from(args.mode);
    let _lock = match mode {
        Mode::Each => Some(ctx.home.listen_lock()?),
        Mode::Share => None,
    };
    enroll::own_node(ctx, &identity, &args.via).await?;
    ctx.db.sweep_inbox(clock::now())?;
    if enroll::renew_if_due(ctx, &mut identity, &args.via).await? {
        ctx.out.note("card renewed");
    }
    let folder = args.output.unwrap_or_else(|| ctx.home.received());
    let mut session = Session {
        identity,
        via: args.via,
        mode,
        folder,
        once: args.once,
        count: args.count,
        deadline: args
            .secs
            .map(|secs| Instant::now() + Duration::from_secs(secs)),
        book: AckBook::new(mode),
        taken: 0,
        shown: 0,
        fruitful: false,
        doubted: None,
        ctx,
    };
    let result = session.run(opened).await;
    session.ctx.db.trim()?;
    result
}

impl Session<'_> {
    async fn run(&mut self, mut opened: Option<Opened>) -> Result<(), AppError> {
        // What an earlier run stored and did not come to show.
        self.show_all()?;
        let mut backoff = Backoff::new();
        let mut was_open = false;
        loop {
            if self.is_enough() {
                return self.finish(None);
            }
            let connected = match opened.take() {
                Some(opened) => Ok(opened),
                None => self.connect().await,
            };
            let error = match connected {
                Ok(Opened {
                    relay,
                    node,
                    mut stream,
                }) => {
                    was_open = true;
                    self.fruitful = false;
                    let Left::Broken(error) = self.serve(&relay, &node, &mut stream).await? else {
                        return self.finish(None);
                    };
                    // A relay is paid for what is pushed through it. One that swallows it and cuts the
                    // stream is to earn ever more slowly, and only where there is no other.
                    if self.fruitful {
                        backoff.succeeded();
                    }
                    self.doubted = (!self.fruitful).then_some(relay.name);
                    error
                }
                Err(error) if error.is_passing() && !self.once => error,
                Err(error) => return Err(error),
            };
            let pause = backoff.failed(&mut OsRng);
            self.tell_offline(&error, pause)?;
            let until = Instant::now() + Duration::from_millis(pause);
            match self.deadline {
                Some(deadline) if deadline <= until => {
                    return self.finish((!was_open).then_some(error));
                }
                _ => sleep_until(until).await,
            }
            enroll::renew_if_due(self.ctx, &mut self.identity, &self.via)
                .await
                .or_else(|error| {
                    if error.is_passing() {
                        Ok(false)
                    } else {
                        Err(error)
                    }
                })?;
        }
    }

    /// Says how it ended. Nothing received is an error of its own, so that scripts can tell.
    fn finish(&self, error: Option<AppError>) -> Result<(), AppError> {
        if let Some(error) = error {
            return Err(error);
        }
        match self.count {
            Some(count) if self.shown < count => Err(AppError::Nothing(format!(
                "{} of {count} messages were received in time",
                self.shown
            ))),
            None if self.shown == 0 => Err(AppError::Nothing("nothing was received".to_owned())),
            _ => Ok(()),
        }
    }

    fn is_enough(&self) -> bool {
        self.count.is_some_and(|count| self.shown >= count)
    }

    /// Opens the stream; once more if the node turns out to have a new key.
    async fn connect(&mut self) -> Result<Opened, AppError> {
        match self.try_connect().await {
            Err(error) if error.is_passing() && directory::has_news(self.ctx, &self.via).await => {
                tracing::debug!(%error, "tried again with the node's new key");
                self.try_connect().await
            }
            outcome => outcome,
        }
    }

    /// Opens the stream through one relay after the other.
    async fn try_connect(&mut self) -> Result<Opened, AppError> {
        let node = enroll::own_node(self.ctx, &self.identity, &self.via).await?;
        let (identity, mode) = (&self.identity, self.mode);
        let doubted = self.doubted.as_deref();
        let opening = link::open_stream(self.ctx, &node, &self.via, doubted, |desk, rng| {
            desk.listen(identity, mode, clock::now(), rng)
        });
        let (relay, stream) = match self.deadline {
            None => opening.await?,
            Some(deadline) => match tokio::time::timeout_at(deadline, opening).await {
                Ok(opened) => opened?,
                Err(_) => return Err(AppError::Nothing("no answer in time".to_owned())),
            },
        };
        Ok(Opened {
            relay,
            node,
            stream,
        })
    }

    /// Reads a stream until it ends or what was asked for is done.
    async fn serve(
        &mut self,
        relay: &Relay,
        node: &NodeRecord,
        stream: &mut Listening,
    ) -> Result<Left, AppError> {
        let mut telling: Option<Telling> = None;
        let mut tell_at: Option<Instant> = None;
        let mut idle_at = Instant::now() + ONCE_IDLE;
        let mut waiting: Option<u64> = None;
        let left = loop {
            if telling.is_none() && self.taken >= ACK_PACKETS {
                tell_at = Some(Instant::now());
            }
            tokio::select! {
                record = stream.next(relay) => match record {
                    Err(error) => break Left::Broken(error),
                    Ok(Content::Packet(packet)) => {
                        self.fruitful = true;
                        self.take(&packet)?;
                        self.show_all()?;
                        tell_at = tell_at.or(Some(Instant::now() + ACK_AFTER));
                        waiting = waiting.map(|waiting| waiting.saturating_sub(1));
                        idle_at = Instant::now() + ONCE_IDLE;
                    }
                    Ok(Content::Answer(answer)) => {
                        if let Some(now_waiting) = self.hear(*answer, relay, node)? {
                            waiting = Some(now_waiting);
                        }
                        tell_at = tell_at.or((!self.book.is_empty()).then(|| Instant::now() + ACK_AFTER));
                    }
                },
                (ack, told) = wait_for(&mut telling) => {
                    telling = None;
                    tell_at = self.told(ack, told).map(|pause| Instant::now() + pause);
                }
                () = sleep_some(tell_at), if telling.is_none() => {
                    tell_at = None;
                    telling = self.tell(relay, node)?;
                }
                () = sleep_some(self.deadline) => break Left::Done,
                () = sleep_until(idle_at), if self.once => break Left::Done,
            }
            if waiting == Some(0) {
                idle_at = idle_at.min(Instant::now() + ONCE_NOTHING);
            }
            if self.is_enough() {
                break Left::Done;
            }
        };
        if matches!(left, Left::Done) {
            self.tell_the_rest(telling, relay, node).await;
        }
        Ok(left)
    }

    /// Hears a control record; returns how many packets wait, if it says so.
    fn hear(
        &mut self,
        answer: Answer,
        relay: &Relay,
        node: &NodeRecord,
    ) -> Result<Option<u64>, AppError> {
        let out = self.ctx.out;
        match answer {
            Answer::Listening { standing, position } => {
                self.book.opened(position);
                self.note_generation(node, position.generation)?;
                out.line(
                    || format!("listening at node {} through {}", node.node(), relay.name),
                    &json!({
                        "event": "listening",
                        "node": node.node().to_string(),
                        "relay": relay.name,
                        "mode": self.mode.to_string(),
                        "waiting_packets": standing.waiting_packets.to_string(),
                        "waiting_bytes": standing.waiting_bytes.to_string(),
                    }),
                )?;
                return Ok(Some(standing.waiting_packets));
            }
            Answer::Gap { from, through } => {
                self.book.lost(from, through);
                out.line(
                    || format!("lost: messages {from} to {through} were dropped by the node"),
                    &json!({
                        "event": "gap",
                        "from": from.to_string(),
                        "through": through.to_string(),
                    }),
                )?;
            }
            Answer::Paused(reason) => self.tell_paused(&reason)?,
            Answer::Refused(reason) => {
                return Err(layer_minus_client_sdk::SdkError::Refused(reason).into());
            }
            Answer::Heartbeat { .. } => self.fruitful = true,
            // What later versions may say.
            _ => {}
        }
        Ok(None)
    }

    /// Begins to tell the node what is safe here.
    fn tell(&mut self, relay: &Relay, node: &NodeRecord) -> Result<Option<Telling>, AppError> {
        self.taken = 0;
        let Some(ack) = self.book.take() else {
            return Ok(None);
        };
        let (network, route) = self.ctx.way(node, &self.via.hop, relay.record.as_ref())?;
        let desk = Desk::new(&network, &route);
        let outgoing = desk.ack(&self.identity, ack.clone(), clock::now(), &mut OsRng)?;
        let (http, relay) = (self.ctx.http.clone(), relay.clone());
        Ok(Some(Box::pin(async move {
            let content = link::exchange(&http, &relay, outgoing, None).await;
            let told = content.and_then(|content| Ok(answer::expect_acknowledged(content)?));
            (ack, told)
        })))
    }

    /// What came of telling. Returns after which pause there is more to tell, if there is.
    fn told(&mut self, ack: Acknowledgement, told: Result<(), AppError>) -> Option<Duration> {
        let mut pause = ACK_AFTER;
        match told {
            Ok(()) => {}
            // The numbers mean nothing to the node: it will push again what it still has.
            Err(error) if error.reason().is_some() && !error.is_passing() => {
                tracing::debug!(%error, "acknowledgement refused");
            }
            Err(error) => {
                tracing::debug!(%error, "acknowledgement failed");
                self.book.put_back(ack);
                pause = ACK_AGAIN;
            }
        }
        (!self.book.is_empty()).then_some(pause)
    }

    /// Before leaving: tells the node all that is safe here. What fails comes again and is known.
    async fn tell_the_rest(&mut self, running: Option<Telling>, relay: &Relay, node: &NodeRecord) {
        let rest = async {
            if let Some(running) = running {
                let (ack, told) = running.await;
                self.told(ack, told);
            }
            while let Some(telling) = self.tell(relay, node)? {
                let (_, told) = telling.await;
                told?;
            }
            Ok::<(), AppError>(())
        };
        match tokio::time::timeout(LAST_ACKS, rest).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "last acknowledgement failed"),
            Err(_) => tracing::warn!("last acknowledgement was not answered in time"),
        }
    }
}

async fn wait_for(telling: &mut Option<Telling>) -> (Acknowledgement, Result<(), AppError>) {
    match telling {
        Some(telling) => telling.await,
        None => std::future::pending().await,
    }
}

async fn sleep_some(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
