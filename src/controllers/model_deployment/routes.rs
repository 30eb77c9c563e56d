//! The routes of a deployment: the one that is believed, and one of the other protocol that gives way to it.
//!
//! The first is written without what its CRD or its gateway does not take, and says so. The second follows every way back and
//! goes once the gateway has the first in effect, so that at no time there is none.

use jiff::Timestamp;

use crate::controllers::model_deployment::apply::Hands;
use crate::controllers::model_deployment::observe::{Observed, Seen};
use crate::controllers::model_deployment::validate::Valid;
use crate::domain::record::Decision;
use crate::domain::settings::TrafficMode;
use crate::kube_io::WriteError;
use crate::traffic;
use crate::traffic::route::{self, Feature, LeftOut};

impl Hands<'_> {
    /// Makes both routes what they have to be.
    pub(super) async fn ensure_routes(&self, decision: &Decision) -> Result<(), WriteError> {
        // What takes traffic away waits for nothing, here neither.
        self.keep_in_step(decision).await?;
        if self.observed.gateway_api {
            self.ensure_route(decision).await?;
        }
        match handover_due(self.observed, self.valid) {
            Some(due) if due <= self.observed.now => self.delete(self.observed.former_route.as_ref()).await,
            _ => Ok(()),
        }
    }

    /// A refusal that names fields that the installed CRD lacks is answered by the route without them, at once.
    async fn ensure_route(&self, decision: &Decision) -> Result<(), WriteError> {
        let live = self.observed.route.as_ref();
        let traffic = &self.valid.traffic;
        let mut left_out = LeftOut::of(live.map(|live| &live.object), traffic);
        if let Some(words) = live.and_then(refused_extras) {
            // Without them the route was taken, and all of the traffic depends on it.
            let asked = [(Feature::Mirror, traffic.mirror.is_some()), (Feature::CandidateMatches, !traffic.candidate_matches.is_empty())];
            for (feature, _) in asked.into_iter().filter(|(_, asked)| *asked) {
                left_out.add(feature, &words);
            }
        }
        loop {
            let answer = self.ensure(live, route::build(&self.observed.owner, traffic, decision, &left_out)).await;
            let Err(WriteError::Invalid(words)) = &answer else { return answer };
            let why = format!("the installed {} has no such field", route::kind(traffic.protocol));
            let mut news = false;
            for feature in route::lacking(words) {
                news |= left_out.add(feature, &why);
            }
            if !news {
                return answer;
            }
        }
    }

    async fn keep_in_step(&self, decision: &Decision) -> Result<(), WriteError> {
        let Some(former) = self.observed.former_route.as_ref().filter(|former| !former.entry.deleting) else { return Ok(()) };
        let its = traffic::from_object(&former.object);
        let astray = its.as_ref().is_none_or(|its| {
            let closes = its.opens_candidate() && !decision.opens_candidate();
            its.split != decision.split && decision.split.lowers(&its.split) || closes
        });
        match route::in_step(&self.observed.owner, &former.object, decision).filter(|_| astray) {
            Some(object) => self.ensure(Some(former), object).await,
            None => Ok(()),
        }
    }
}

/// Why the gateway does not take a route with pins or a mirror, if it lacks support for something of it.
fn refused_extras(live: &Seen) -> Option<String> {
    let words = route::unsupported(&live.object)?;
    route::has_extras(&live.object).then(|| format!("the gateway does not take it: {words}"))
}

/// When a route of the other protocol may go; `None` without one, and as long as its successor is not taken.
pub fn handover_due(observed: &Observed, valid: &Valid) -> Option<Timestamp> {
    let former = observed.former_route.as_ref().filter(|former| !former.entry.deleting);
    let successor = observed.route.as_ref().filter(|route| !route.entry.deleting && valid.settings.traffic == TrafficMode::Gateway);
    let taken = former.and(successor).and_then(|route| route::taken_since(&route.object))?;
    taken.checked_add(valid.settings.propagation_delay).ok()
}
