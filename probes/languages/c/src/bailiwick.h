// What a probe needs besides its verbs. Yours to read and change; nothing else is behind it.
//
// Nothing is freed: an instance lives for one call of `examine`, and then its memory is gone as a whole.
#ifndef BAILIWICK_H
#define BAILIWICK_H

#include "probe.h"

typedef bailiwick_ops_types_borrow_target_t bw_target;
typedef bailiwick_ops_slots_entry_t bw_entry;
typedef bailiwick_ops_reports_finding_t bw_finding;

// Yours: looks at one target. True if it could look; else `why` says why not, as `bw_failed` or `bw_cannot` fill it.
bool bw_look(bw_target target, probe_report_t *report, probe_failure_t *why);

// A text, as printf makes it, with %s, %llu, and %.*s for BW_ARG(text), which puts a text into another.
probe_string_t bw_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define BW_ARG(text) (int)(text).len, (const char *)(text).ptr

// A number that the operator may set; the manifest has its default. False if there is none.
bool bw_number(bw_target target, const char *name, double *value, probe_failure_t *why);

// What the operator bound to a slot. Verbs take its key, people read its literal. False if nothing is bound.
bool bw_slot(bw_target target, const char *name, bw_entry *entry, probe_failure_t *why);

// The number of the latest verb call, for `bw_because`.
uint32_t bw_call(void);

// Ends the run: the latest call answered with this error. Always false, to be returned.
bool bw_failed(probe_failure_t *why, const char *verb, bailiwick_ops_types_verb_error_t error);

// Ends the run for another reason. Always false, to be returned.
bool bw_cannot(probe_failure_t *why, probe_string_t reason);

// Adds a finding, to which metrics and calls can be added until the next one is.
bw_finding *bw_find(probe_report_t *report, const char *code, bailiwick_ops_reports_severity_t severity,
                    probe_string_t subject, probe_string_t title);
void bw_metric(bw_finding *finding, const char *name, double value, bailiwick_ops_reports_unit_t unit);
void bw_because(bw_finding *finding, uint32_t call);

#endif
