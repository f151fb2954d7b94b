//! Parameters of checks, set for one application at a time.

use catalog::{Check, Param};
use model::id::{CheckId, InstanceId};
use model::view::{Actor, CheckParam, ParamOf, ParamSet};
use serde_json::json;
use store::params::{self, SetParam};

use crate::lists::plain;
use crate::refusal::{Result, internal, invalid, must_be_admin, not_found, store as from_store};
use crate::{Ops, audit};

impl Ops {
    /// Sets a parameter of a check for an application (`None`: gives it back its default). It holds from the next scan on.
    ///
    /// # Errors
    /// A check or parameter that the application does not have; a value of another type or out of bounds.
    pub async fn set_param(
        &self,
        actor: &Actor,
        id: &InstanceId,
        check: &CheckId,
        name: &str,
        value: Option<&str>,
    ) -> Result<()> {
        must_be_admin(actor)?;
        let member = self.instance(id)?;
        let found = member.app.as_ref().and_then(|app| app.checks.iter().find(|c| c.id == *check));
        let found = found.ok_or_else(|| not_found("check of this application"))?;
        let param = found.params.get(name).ok_or_else(|| not_found("parameter of this check"))?;
        let read = value
            .map(|text| {
                param
                    .read(text)
                    .map_err(|what| invalid("value", format!("`{name}` was not changed: {what}.")))
            })
            .transpose()?;
        let now = self.now();
        let kept = params::of(self.db(), id).await.map_err(internal)?;
        let before = kept.get(check).and_then(|of| of.get(name)).map(|set| param.kept(&set.value));
        let before = plain(before.as_ref().unwrap_or(&param.default));
        let after = plain(read.as_ref().unwrap_or(&param.default));
        let entry = audit(
            actor,
            "parameter changed",
            Some(id),
            format!("{name} of {check}, {}", member.row.instance.name),
            json!({ "check": check, "parameter": name, "from": before, "to": after, "default": read.is_none() }),
        );
        let set = read.map(|value| SetParam { value: param.keep(&value), by: actor.name.clone(), at: now });
        params::set(self.db(), id, (check, name), set, now, entry).await.map_err(from_store)?;
        self.refreshed(id).await
    }

    /// The parameters of a check, with what is set for each application of its kind.
    pub(crate) async fn check_params(&self, app: &catalog::App, check: &Check) -> Result<Vec<CheckParam>> {
        let mut list: Vec<CheckParam> = check
            .params
            .iter()
            .map(|(name, param)| CheckParam {
                name: name.clone(),
                default: plain(&param.default),
                wants: param.wants().to_owned(),
                instances: Vec::new(),
            })
            .collect();
        if list.is_empty() {
            return Ok(list);
        }
        let mut members = self.0.fleet.all();
        members.retain(|m| m.row.instance.app == app.id);
        members.sort_by(|a, b| a.row.instance.name.cmp(&b.row.instance.name));
        for member in members {
            let mut kept = params::of(self.db(), member.id()).await.map_err(internal)?;
            let mut of_check = kept.remove(&check.id).unwrap_or_default();
            for row in &mut list {
                let Some(param) = check.params.get(&row.name) else { continue };
                let set = of_check.remove(&row.name).map(|set| shown(param, set));
                row.instances.push(ParamOf { instance: member.instance_ref(), set });
            }
        }
        Ok(list)
    }
}

fn shown(param: &Param, set: SetParam) -> ParamSet {
    ParamSet { value: plain(&param.kept(&set.value)), by: set.by, at: set.at }
}
