//! Where mails and events go: a mail server on loopback that has moods, and a receiver of webhooks.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use collect::Clock;
use futures_util::future::BoxFuture;
use model::time::Duration;
use notify::{Answer, Network, Trouble};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::time::{Dice, NodeClock, Shared};

/// What the mail server does with most mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// Nobody answers.
    Away,
    /// "Try again later", in the dialogue.
    Refusing,
    /// It takes the mail and hangs up before it says so.
    HangsUp,
    /// Connecting takes minutes.
    Slow,
}

const MOODS: [Mood; 7] =
    [Mood::Well, Mood::Well, Mood::Well, Mood::Away, Mood::Refusing, Mood::HangsUp, Mood::Slow];

pub(super) fn mood(dice: &mut Dice) -> Mood {
    dice.one_of(&MOODS)
}

/// Mails that were taken: `Message-ID`, and the whole of it.
type Taken = Arc<Mutex<Vec<(String, String)>>>;

pub(super) struct Wire {
    pub(super) port: u16,
    mood: Arc<Mutex<Mood>>,
    taken: Taken,
    posts: Mutex<u64>,
    /// Something goes over it that comes back by itself.
    pub(super) busy: AtomicBool,
    server: tokio::task::JoinHandle<()>,
    clock: NodeClock,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Wire {
    pub(super) async fn open(shared: &Arc<Shared>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (taken, mood) = (Taken::default(), Arc::new(Mutex::new(Mood::Well)));
        let (mails, now) = (Arc::clone(&taken), Arc::clone(&mood));
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Both ends say little and wait: a delayed word would be most of a story's time.
                stream.set_nodelay(true).expect("a socket of this machine");
                let mood = *now.lock().unwrap_or_else(PoisonError::into_inner);
                tokio::spawn(serve(stream, Arc::clone(&mails), mood));
            }
        });
        let clock = NodeClock::new(shared, Duration::ZERO);
        let (posts, busy) = (Mutex::default(), AtomicBool::new(false));
        Arc::new(Self { port, mood, taken, posts, busy, server, clock })
    }

    pub(super) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn taken(&self) -> MutexGuard<'_, Vec<(String, String)>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A wait of the world's, not of a wire's.
    async fn wait(&self, length: Duration) {
        let mut sleep = pin!(self.clock.sleep(length));
        std::future::poll_fn(|cx| {
            self.busy.store(false, Ordering::SeqCst);
            sleep.as_mut().poll(cx)
        })
        .await;
    }
}

impl Network for Wire {
    fn dial<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, Result<TcpStream, Trouble>> {
        Box::pin(async move {
            let slow = self.clock.shared.dice().upto(Duration::minutes(8));
            match self.mood() {
                Mood::Away => return Err(Trouble::passing("nobody answered")),
                Mood::Slow => self.wait(slow).await,
                Mood::Well | Mood::Refusing | Mood::HangsUp => {}
            }
            self.busy.store(true, Ordering::SeqCst);
            #[expect(clippy::disallowed_methods, reason = "the simulation's own server")]
            let stream = TcpStream::connect(("127.0.0.1", self.port)).await;
            let passing = |e: std::io::Error| Trouble::passing(e.to_string());
            let stream = stream.map_err(passing)?;
            stream.set_nodelay(true).map_err(passing)?;
            Ok(stream)
        })
    }

    fn post<'a>(
        &'a self,
        _: &'a str,
        _: Vec<(&'static str, String)>,
        _: Vec<u8>,
    ) -> BoxFuture<'a, Result<Answer, Trouble>> {
        Box::pin(async move {
            if self.mood() == Mood::Away {
                return Err(Trouble::passing("nobody answered"));
            }
            *self.posts.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            Ok(Answer { status: 200, retry_after_seconds: None, says: String::new() })
        })
    }
}

async fn serve(stream: TcpStream, taken: Taken, mood: Mood) {
    let mut stream = BufReader::new(stream);
    if stream.write_all(b"220 here\r\n").await.is_err() {
        return;
    }
    let mut line = String::new();
    while let Ok(1..) = stream.read_line(&mut line).await {
        let answer = match line.get(..4).unwrap_or_default() {
            "EHLO" => "250-here\r\n250 8BITMIME",
            "RCPT" if mood == Mood::Refusing => "451 4.3.0 try again later",
            "DATA" => {
                let Some(mail) = data(&mut stream).await else { return };
                let id = mail.lines().find_map(|l| l.strip_prefix("Message-ID: ")).unwrap_or("none");
                let id = id.trim_matches(['<', '>']).to_owned();
                taken.lock().unwrap_or_else(PoisonError::into_inner).push((id, mail));
                if mood == Mood::HangsUp {
                    return;
                }
                "250 taken"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        line.clear();
        if stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The mail; `None`: whoever sends it has died.
async fn data(stream: &mut BufReader<TcpStream>) -> Option<String> {
    stream.write_all(b"354 go on\r\n").await.ok()?;
    let mut mail = String::new();
    while !mail.ends_with("\r\n.\r\n") {
        if stream.read_line(&mut mail).await.ok()? == 0 {
            return None;
        }
    }
    Some(mail)
}
