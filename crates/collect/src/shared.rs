//! Requests that several datasets of a run make word for word: sent once, judged by each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use catalog::{DatasetSpec, RequestSpec};
use url::Url;

use crate::ask::{Answered, Ask, Halt, Who};
use crate::outbound::Answer;
use crate::session::Session;

/// An answer that others still want, and where it came from.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) answer: Answer,
    pub(crate) url: Url,
}

/// Held by whoever asks, so that the others wait for the answer instead of asking, too.
type Slot = Arc<tokio::sync::Mutex<Option<(Kept, usize)>>>;

/// Which requests these are, and answers until each dataset has had them.
#[derive(Default)]
pub(crate) struct Shared {
    /// By dataset and position of the request: how many datasets make it.
    readers: BTreeMap<(String, usize), usize>,
    slots: Mutex<BTreeMap<String, Slot>>,
    bytes: AtomicUsize,
}

/// Bytes that are kept at once. Datasets that are read side by side need a page or two; one that comes long after asks again.
const BYTES: usize = 16 << 20;

impl Shared {
    /// Finds them among the datasets of a run. What has a `refresh` age is read at another time, and what is only asked where
    /// something else was refused is most often not asked at all: nobody would fetch its answers.
    pub(crate) fn among(specs: &[&DatasetSpec], deployment: &str) -> Self {
        let mut same: Vec<(&RequestSpec, Vec<(&str, usize)>)> = Vec::new();
        for dataset in specs.iter().filter(|d| d.spec.refresh_hours.is_none()) {
            let offered = &dataset.spec.deployments;
            if !offered.is_empty() && !offered.iter().any(|d| d == deployment) {
                continue;
            }
            let first = dataset.requests.first().map_or("", |r| r.spec.alternative.as_str());
            for (position, request) in dataset.requests.iter().enumerate() {
                if request.spec.alternative != first {
                    continue;
                }
                let reader = (dataset.spec.name.as_str(), position);
                match same.iter_mut().find(|(other, _)| other.spec.asks_the_same(&request.spec)) {
                    Some((_, readers)) => readers.push(reader),
                    None => same.push((request, vec![reader])),
                }
            }
        }
        let mut readers = BTreeMap::new();
        for (_, all) in same {
            let mut datasets: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
            datasets.dedup();
            if datasets.len() > 1 {
                readers.extend(all.iter().map(|(name, at)| (((*name).to_owned(), *at), datasets.len())));
            }
        }
        Self { readers, ..Self::default() }
    }

    /// How many datasets make this request of a dataset; 1: no other.
    pub(crate) fn readers(&self, dataset: &DatasetSpec, request: &RequestSpec) -> usize {
        if self.readers.is_empty() {
            return 1;
        }
        let at = dataset.requests.iter().position(|r| std::ptr::eq(r, request));
        at.and_then(|at| self.readers.get(&(dataset.spec.name.clone(), at))).copied().unwrap_or(1)
    }

    fn slot(&self, key: &str) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(key.to_owned()).or_default())
    }

    /// Whether there is room for an answer, which is then taken.
    fn has_room(&self, kept: &Kept) -> bool {
        let taken = |held: usize| Some(held + kept.answer.body.len()).filter(|held| *held <= BYTES);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }

    fn forget(&self, key: &str) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl Session<'_> {
    /// Makes a request as the credential, in its turn; or takes the answer that another dataset has got to the same. What was
    /// no usable answer for one is asked for by the other again.
    pub(crate) async fn exchange(&self, ask: &Ask<'_>) -> Result<Answered, Halt> {
        if ask.readers < 2 || ask.etag.is_some() {
            return self.exchange_as(ask, Who::Credential, None, &mut None).await;
        }
        let key = format!("{} {} {:?}", ask.method, ask.url, ask.body);
        let slot = self.shared.slot(&key);
        let mut held = slot.lock().await;
        if let Some((kept, left)) = held.take() {
            if left > 1 {
                *held = Some((kept.clone(), left - 1));
            } else {
                self.shared.bytes.fetch_sub(kept.answer.body.len(), Ordering::Relaxed);
                self.shared.forget(&key);
            }
            return self.exchange_as(ask, Who::Credential, Some(kept), &mut None).await;
        }
        let mut kept = None;
        let answered = self.exchange_as(ask, Who::Credential, None, &mut kept).await;
        *held = kept.filter(|kept| self.shared.has_room(kept)).map(|kept| (kept, ask.readers - 1));
        answered
    }
}
