//! Name resolution with the address filter inside it, so that a name cannot point anywhere else between a check and the
//! connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::OutboundConfig;
use super::error::NameError;
use super::filter::class;

/// Resolves names by the system, and gives only addresses that may be contacted.
pub(super) struct Filtered {
    config: Arc<OutboundConfig>,
}

impl Filtered {
    pub(super) fn new(config: Arc<OutboundConfig>) -> Self {
        Self { config }
    }
}

impl Resolve for Filtered {
    fn resolve(&self, name: Name) -> Resolving {
        let config = Arc::clone(&self.config);
        Box::pin(async move {
            let name = name.as_str();
            let found: Vec<IpAddr> = match &config.resolve {
                Some(answer) => answer(name),
                // Port 0 is replaced by the address's own.
                None => match tokio::net::lookup_host((name, 0)).await {
                    Ok(found) => found.map(|a| a.ip()).collect(),
                    Err(_) => Vec::new(),
                },
            };
            let first = *found.first().ok_or_else(|| NameError::NotResolved { name: name.to_owned() })?;
            let allow = config.allow(name);
            let admitted: Vec<SocketAddr> = found
                .into_iter()
                .filter(|ip| allow.admits(class(*ip)))
                .map(|ip| SocketAddr::new(ip, 0))
                .collect();
            if admitted.is_empty() {
                let refused = NameError::Refused { name: name.to_owned(), ip: first, class: class(first) };
                return Err(refused.into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}
