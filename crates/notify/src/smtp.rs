//! Mail by SMTP: STARTTLS or TLS from the start, PLAIN and LOGIN, the operator's own authority.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::mail::Mail;
use crate::{Network, Trouble, Trust};

/// The mail server and how to speak with it.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is secured.
    pub security: Security,
    /// Name and password, where it wants them.
    pub login: Option<(String, SecretString)>,
    /// Who the mails are from.
    pub from: Mailbox,
    /// The name this server gives itself.
    pub hello: String,
    /// Seconds for the whole dialogue of one mail.
    pub seconds: u32,
}

/// How the connection to a mail server is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// In the clear until STARTTLS, which must be offered.
    StartTls,
    /// TLS from the first byte (port 465).
    Tls,
    /// None: only to this machine, where a mail server stands beside Parapet.
    None,
}

impl Security {
    /// The port it is usually at.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// Sends one mail.
///
/// # Errors
/// What happened. Only what the server says for good about this mail or its addressee is [`Trouble::lasting`]: a refused
/// password or sender is the transport's fault, and the mail waits until that is mended.
pub async fn deliver(
    server: &Server,
    network: &dyn Network,
    trust: &Trust,
    mail: &Mail,
) -> Result<(), Trouble> {
    let message = mail.compose(&server.from)?;
    let limit = Duration::from_secs(server.seconds.into());
    let late = || Trouble::passing(format!("{} did not finish within {} s", server.host, server.seconds));
    let work = async {
        let mut connection = greet(server, network, trust).await?;
        let sent = connection.send(message.envelope(), &message.formatted()).await;
        let sent = sent.map(drop).map_err(|e| explain(server, &e, Step::Mail));
        // The mail was taken or refused; how the goodbye goes changes nothing.
        connection.abort().await;
        sent
    };
    tokio::time::timeout(limit, work).await.map_err(|_| late())?
}

/// Connects, secures, signs in.
async fn greet(
    server: &Server,
    network: &dyn Network,
    trust: &Trust,
) -> Result<AsyncSmtpConnection, Trouble> {
    let stream = network.dial(&server.host, server.port).await?;
    let here = stream.peer_addr().is_ok_and(|a| a.ip().to_canonical().is_loopback());
    if server.security == Security::None && !here {
        return Err(Trouble::passing(format!(
            "{} is another machine, and without TLS mail crosses the network in the clear; use security = \"starttls\" or \
             \"tls\"",
            server.host
        )));
    }
    let hello = ClientId::Domain(server.hello.clone());
    let failed = |e| explain(server, &e, Step::Greeting);
    let mut connection = match server.security {
        Security::Tls => {
            let stream = Secured(trust.secure(&server.host, stream).await?);
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await.map_err(failed)?
        }
        Security::StartTls | Security::None => {
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await.map_err(failed)?
        }
    };
    if server.security == Security::StartTls {
        if !connection.can_starttls() {
            return Err(Trouble::passing(format!(
                "{} offers no STARTTLS, so nothing was sent. Use security = \"tls\" if it speaks TLS from the start",
                server.host
            )));
        }
        let parameters = trust.for_mail(&server.host)?;
        connection.starttls(parameters, &hello).await.map_err(|e| explain(server, &e, Step::Tls))?;
    }
    if let Some((name, password)) = &server.login {
        let credentials = Credentials::new(name.clone(), password.expose_secret().to_owned());
        connection
            .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
            .await
            .map_err(|e| explain(server, &e, Step::SignIn))?;
    }
    Ok(connection)
}

/// How far the dialogue came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Greeting,
    Tls,
    SignIn,
    Mail,
}

fn explain(server: &Server, error: &lettre::transport::smtp::Error, step: Step) -> Trouble {
    let host = &server.host;
    let code = error.status().map(|c| c.to_string());
    let words = innermost(error);
    let answer = code.as_ref().map_or_else(|| words.clone(), |code| format!("{code} {words}"));
    if error.is_tls() || step == Step::Tls && code.is_none() {
        return Trouble::passing(crate::trust::tls_says(host, &words));
    }
    match step {
        Step::Greeting | Step::Tls => Trouble::passing(format!("{host} refused the connection ({answer})")),
        Step::SignIn if code.is_some() => Trouble::passing(format!(
            "{host} refused the sign-in ({answer}). Check the user name and the password of the mail transport"
        )),
        Step::SignIn => Trouble::passing(format!("Signing in at {host} failed ({answer})")),
        // 530, 535: it wants a sign-in first; a matter of the transport, as is a sender that it does not let through.
        Step::Mail if error.is_permanent() && !matters_to_all(code.as_deref()) => {
            Trouble::lasting(format!("{host} refused the mail for good ({answer})"))
        }
        Step::Mail if code.is_some() && !matters_to_all(code.as_deref()) => {
            Trouble::single(format!("{host} did not take the mail ({answer})"))
        }
        Step::Mail if code.is_some() => Trouble::passing(format!("{host} takes no mail from us ({answer})")),
        Step::Mail => Trouble::passing(format!("The connection to {host} broke ({answer})")),
    }
}

/// Answers that would meet every mail alike.
fn matters_to_all(code: Option<&str>) -> bool {
    matches!(code, Some("502" | "503" | "530" | "534" | "535" | "538"))
}

/// What lies at the bottom of an error: the server's words, or the operating system's.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(inner) = at.source() {
        at = inner;
    }
    at.to_string()
}

/// TLS from the start, as the mail library takes a connection.
#[derive(Debug)]
struct Secured(TlsStream<TcpStream>);

impl AsyncTokioStream for Secured {
    fn peer_addr(&self) -> std::io::Result<std::net::SocketAddr> {
        self.0.get_ref().0.peer_addr()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
