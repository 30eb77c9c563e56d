//! DELETE: preconditions, finalizers, grace, removal.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Asked, convert, errors, graceful, meta};
use crate::sim::admission;
use crate::sim::api_error::ApiError;
use crate::sim::cluster::{Cluster, DeleteOptions, Deleted, Identity, Propagation, WriteOptions};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

impl Cluster {
    /// Deletes an object, or begins its deletion.
    ///
    /// # Errors
    /// As the server: 403 protected, 404 missing, 409 preconditions.
    pub fn delete(
        &mut self,
        who: &Identity,
        resource: &str,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted, ApiError> {
        let resource = self.resource(resource)?;
        let write = WriteOptions { dry_run: options.dry_run, ..WriteOptions::default() };
        let asked = Asked { who, resource, namespace, name, subresource: None, options: &write };
        self.delete_asked(&asked, options)
    }

    pub(super) fn delete_asked(&mut self, asked: &Asked<'_>, options: &DeleteOptions) -> Result<Deleted, ApiError> {
        let Some(entry) = self.store.get(&asked.key()) else {
            return Err(errors::not_found(&asked.resource, asked.name));
        };
        let live = Arc::clone(&entry.served);
        check_preconditions(asked, options, &live)?;
        admission::on_delete(&asked.resource, asked.name)?;
        let mut deleted = match asked.resource.storage_key.as_str() {
            "namespaces" => self.delete_namespace(asked, &live),
            "customresourcedefinitions.apiextensions.k8s.io" if self.definition_needs_cleanup(&live) => {
                self.delete_definition(asked, &live)
            }
            _ => self.delete_common(asked, options, &live),
        };
        deleted.warnings.extend(asked.resource.deprecation.iter().cloned());
        deleted.warnings.extend(orphan_warning(asked, options));
        Ok(deleted)
    }

    fn delete_common(&mut self, asked: &Asked<'_>, options: &DeleteOptions, live: &Arc<Value>) -> Deleted {
        let grace = graceful::begin(&asked.resource, live, options.grace_period_seconds, self.now());
        if grace == graceful::Grace::Pending {
            return held(asked, live, options);
        }
        let mut marked = (**live).clone();
        let update_finalizers = set_finalizers(asked, options, &mut marked);
        let pending = !meta::finalizers(&marked).is_empty();
        let graceful = match &grace {
            graceful::Grace::Mark(mark) => {
                mark.apply(&mut marked);
                true
            }
            graceful::Grace::Now | graceful::Grace::Pending => false,
        };
        if !graceful && pending {
            mark_without_grace(&mut marked, &meta::time(self.now()));
        }
        let marked = if graceful || pending || update_finalizers { self.write_mark(asked, live, marked) } else { Arc::clone(live) };
        if pending || grace.waits() {
            return held(asked, &marked, options);
        }
        self.remove_now(asked, &marked)
    }

    /// Writes the marked object unless nothing changed; with dry run only shows it.
    fn write_mark(&mut self, asked: &Asked<'_>, live: &Arc<Value>, mut marked: Value) -> Arc<Value> {
        meta::normalise(&mut marked);
        if marked == **live {
            return Arc::clone(live);
        }
        if asked.options.dry_run {
            return Arc::new(marked);
        }
        self.put(&asked.author(), &asked.key(), marked)
    }

    fn remove_now(&mut self, asked: &Asked<'_>, live: &Arc<Value>) -> Deleted {
        let last = match asked.options.dry_run {
            true => Arc::clone(live),
            false => self.remove(&asked.author(), &asked.key()).unwrap_or_else(|| Arc::clone(live)),
        };
        let object = if asked.resource.strategy.delete_returns_object {
            convert::from_stored(&asked.resource, &last)
        } else {
            Arc::new(errors::success(&asked.resource, asked.name, meta::text(&last, "uid")))
        };
        Deleted { object, code: 200, warnings: Vec::new(), removed: !asked.options.dry_run }
    }

    /// Namespaces end by `/finalize`; deletion marks them and sets their phase.
    fn delete_namespace(&mut self, asked: &Asked<'_>, live: &Arc<Value>) -> Deleted {
        if !meta::is_deleting(live) {
            let mut marked = (**live).clone();
            meta::set(&mut marked, "deletionTimestamp", json!(meta::time(self.now())));
            marked["status"]["phase"] = json!("Terminating");
            let marked = self.write_mark(asked, live, marked);
            return held(asked, &marked, &DeleteOptions::default());
        }
        let spec_holds = live["spec"]["finalizers"].as_array().is_some_and(|names| !names.is_empty());
        if spec_holds || !meta::finalizers(live).is_empty() {
            return held(asked, live, &DeleteOptions::default());
        }
        self.remove_now(asked, live)
    }

    fn delete_definition(&mut self, asked: &Asked<'_>, live: &Arc<Value>) -> Deleted {
        let marked = crate::sim::kinds::crd::marked_for_deletion(live, &meta::time(self.now()));
        let marked = self.write_mark(asked, live, marked);
        held(asked, &marked, &DeleteOptions::default())
    }
}

/// The answer while the object is still there.
fn held(asked: &Asked<'_>, object: &Arc<Value>, options: &DeleteOptions) -> Deleted {
    // The older option promised that nothing is left behind when it answers 200.
    let code = if options.orphan_dependents == Some(false) { 202 } else { 200 };
    Deleted { object: convert::from_stored(&asked.resource, object), code, warnings: Vec::new(), removed: false }
}

pub(super) fn check_preconditions(asked: &Asked<'_>, options: &DeleteOptions, live: &Value) -> Result<(), ApiError> {
    let uid = meta::text(live, "uid");
    if let Some(wanted) = options.uid.as_deref().filter(|wanted| *wanted != uid) {
        let message = format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
        );
        return Err(errors::precondition(&asked.resource, asked.name, &message));
    }
    let revision = meta::text(live, "resourceVersion");
    if let Some(wanted) = options.resource_version.as_deref().filter(|wanted| *wanted != revision) {
        let message = format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({revision}). The object might \
             have been modified"
        );
        return Err(errors::precondition(&asked.resource, asked.name, &message));
    }
    Ok(())
}

/// Adds or swaps the finalizers of the garbage collector; `true` if they changed.
fn set_finalizers(asked: &Asked<'_>, options: &DeleteOptions, object: &mut Value) -> bool {
    let before: Vec<String> = meta::finalizers(object).into_iter().map(str::to_owned).collect();
    let wanted = match (options.propagation, options.orphan_dependents) {
        (Some(Propagation::Orphan), _) | (None, Some(true)) => Some(ORPHAN),
        (Some(Propagation::Foreground), _) => Some(FOREGROUND),
        (Some(Propagation::Background), _) | (None, Some(false)) => None,
        (None, None) if before.iter().any(|name| name == ORPHAN) => Some(ORPHAN),
        (None, None) if before.iter().any(|name| name == FOREGROUND) => Some(FOREGROUND),
        (None, None) if asked.resource.strategy.orphan_by_default => Some(ORPHAN),
        (None, None) => None,
    };
    let mut after: Vec<String> =
        before.iter().filter(|name| !matches!(name.as_str(), ORPHAN | FOREGROUND) || wanted == Some(name.as_str())).cloned().collect();
    if let Some(wanted) = wanted
        && !after.iter().any(|name| name == wanted)
    {
        after.push(wanted.to_owned());
    }
    if after == before {
        return false;
    }
    meta::set(object, "finalizers", json!(after));
    true
}

/// Marks an object of a kind without grace: it waits for its finalizers.
fn mark_without_grace(object: &mut Value, now: &str) {
    if !meta::is_deleting(object) {
        meta::set(object, "deletionTimestamp", json!(now));
    }
    let first = object["metadata"]["deletionGracePeriodSeconds"].is_null();
    if first && meta::generation(object) > 0 {
        let generation = meta::generation(object) + 1;
        meta::set(object, "generation", json!(generation));
    }
    meta::set(object, "deletionGracePeriodSeconds", json!(0));
}

fn orphan_warning(asked: &Asked<'_>, options: &DeleteOptions) -> Option<String> {
    let unsaid = options.propagation.is_none() && options.orphan_dependents.is_none();
    (asked.is("jobs.batch") && unsaid)
        .then(|| "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning".to_owned())
}
