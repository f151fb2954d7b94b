//! Operators' passwords: argon2id, two at a time, so that sign-in attempts cannot exhaust memory.

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use model::entropy::Entropy;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::refusal::{Result, internal, invalid};

/// Memory in KiB, passes and lanes: the first choice of OWASP's password storage advice for small servers
/// (19 MiB, 2 passes, 1 lane).
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Least length in characters; NIST SP 800-63B asks for at least 8.
const SHORTEST: usize = 12;
/// Longest: keeps hashing time bounded.
const LONGEST: usize = 256;

/// Hashes and verifies, at most two at once.
pub(crate) struct Passwords {
    permits: Semaphore,
    /// Verified against when there is no such operator, so that the answer takes as long as for a wrong password.
    decoy: String,
}

impl Passwords {
    pub(crate) fn new(entropy: &dyn Entropy) -> Result<Self> {
        Ok(Self { permits: Semaphore::new(2), decoy: hash_with(b"nobody's password", &salt(entropy))? })
    }

    /// Refuses what is too short or too long.
    pub(crate) fn check_new(password: &SecretString) -> Result<()> {
        let length = password.expose_secret().chars().count();
        if length < SHORTEST {
            return Err(invalid(
                "password",
                format!("The password has {length} characters; at least {SHORTEST} are needed."),
            ));
        }
        if length > LONGEST {
            return Err(invalid("password", format!("The password is longer than {LONGEST} characters.")));
        }
        Ok(())
    }

    /// A PHC string for a new password.
    pub(crate) async fn hash(&self, password: &SecretString, entropy: &dyn Entropy) -> Result<String> {
        let _permit = self.permits.acquire().await.map_err(internal)?;
        let password = password.clone();
        let salt = salt(entropy);
        tokio::task::spawn_blocking(move || hash_with(password.expose_secret().as_bytes(), &salt))
            .await
            .map_err(internal)?
    }

    /// Whether the password fits. `None` (no such operator) takes as long and is never right.
    pub(crate) async fn verify(&self, password: &SecretString, phc: Option<String>) -> Result<bool> {
        let _permit = self.permits.acquire().await.map_err(internal)?;
        let exists = phc.is_some();
        let phc = phc.unwrap_or_else(|| self.decoy.clone());
        let password = password.clone();
        tokio::task::spawn_blocking(move || {
            let parsed = PasswordHash::new(&phc).map_err(internal)?;
            let fits =
                Argon2::default().verify_password(password.expose_secret().as_bytes(), &parsed).is_ok();
            Ok(fits && exists)
        })
        .await
        .map_err(internal)?
    }
}

fn salt(entropy: &dyn Entropy) -> [u8; 16] {
    let mut salt = [0u8; 16];
    entropy.fill(&mut salt);
    salt
}

fn hash_with(password: &[u8], salt: &[u8]) -> Result<String> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(internal)?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Ok(argon.hash_password_with_salt(password, salt).map_err(internal)?.to_string())
}
