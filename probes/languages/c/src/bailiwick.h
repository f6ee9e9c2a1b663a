// Helper functions for probes. Yours to read and change; there is no other library.
//
// Nothing is freed: an instance lives for one call of `examine`, and its whole memory is released afterwards.
#ifndef BAILIWICK_H
#define BAILIWICK_H

#include "probe.h"

typedef bailiwick_ops_types_borrow_target_t bw_target;
typedef bailiwick_ops_slots_entry_t bw_entry;
typedef bailiwick_ops_reports_finding_t bw_finding;

// Write this one: it checks one target. True if it could check; else `why` has the reason, set by `bw_failed` or `bw_cannot`.
bool bw_check(bw_target target, probe_report_t *report, probe_failure_t *why);

// A text in the format of printf, with %s, %llu, and %.*s for BW_ARG(text), which inserts another text.
probe_string_t bw_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define BW_ARG(text) (int)(text).len, (const char *)(text).ptr

// A number parameter: the operator's value, or the default in the manifest. False if it is not declared.
bool bw_number(bw_target target, const char *name, double *value, probe_failure_t *why);

// The entry of a slot. Verbs take its key; findings show its literal. False if nothing is bound.
bool bw_slot(bw_target target, const char *name, bw_entry *entry, probe_failure_t *why);

// The number of the latest verb call, for `bw_because`.
uint32_t bw_call(void);

// Ends the run because the latest call failed with this error. Always false, so that the caller can return it.
bool bw_failed(probe_failure_t *why, const char *verb, bailiwick_ops_types_verb_error_t error);

// Ends the run for another reason. Always false, so that the caller can return it.
bool bw_cannot(probe_failure_t *why, probe_string_t reason);

// Adds a finding. Add its metrics and calls before the next finding.
bw_finding *bw_find(probe_report_t *report, const char *code, bailiwick_ops_reports_severity_t severity,
                    probe_string_t subject, probe_string_t title);
void bw_metric(bw_finding *finding, const char *name, double value, bailiwick_ops_reports_unit_t unit);
void bw_because(bw_finding *finding, uint32_t call);

#endif
