// See bailiwick.h.
#include "bailiwick.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

// Room for one more element. Without memory the run ends.
static void *grown(void *elements, size_t count, size_t size) {
  void *grown = realloc(elements, (count + 1) * size);
  if (grown == NULL) abort();
  return grown;
}

static void append(probe_string_t *text, const char *more, size_t len) {
  text->ptr = realloc(text->ptr, text->len + len + 1);
  if (text->ptr == NULL) abort();
  memcpy(text->ptr + text->len, more, len);
  text->len += len;
}

// libc's own printf writes to streams, which need WASI; a probe has no WASI.
probe_string_t bw_text(const char *format, ...) {
  probe_string_t text = {NULL, 0};
  va_list arguments;
  va_start(arguments, format);
  while (*format != '\0') {
    size_t plain = strcspn(format, "%");
    append(&text, format, plain);
    format += plain;
    if (strncmp(format, "%s", 2) == 0) {
      const char *more = va_arg(arguments, const char *);
      append(&text, more, strlen(more));
      format += 2;
    } else if (strncmp(format, "%.*s", 4) == 0) {
      int len = va_arg(arguments, int);
      append(&text, va_arg(arguments, const char *), (size_t)len);
      format += 4;
    } else if (strncmp(format, "%llu", 4) == 0) {
      unsigned long long number = va_arg(arguments, unsigned long long);
      char digits[20];
      size_t at = sizeof digits;
      do digits[--at] = (char)('0' + number % 10);
      while ((number /= 10) > 0);
      append(&text, digits + at, sizeof digits - at);
      format += 4;
    } else if (*format != '\0') {
      abort(); // an unknown directive
    }
  }
  va_end(arguments);
  return text;
}

bool bw_cannot(probe_failure_t *why, probe_string_t reason) {
  *why = (probe_failure_t){.reason = reason};
  return false;
}

bool bw_failed(probe_failure_t *why, const char *verb, bailiwick_ops_types_verb_error_t error) {
  static const char *const words[] = {"refused",     "not-found", "not-permitted", "unsupported", "unreachable",
                                      "timed-out", "too-large", "garbled",       "exhausted"};
  *why = (probe_failure_t){
      .reason = bw_text("%s: %s", verb, words[error]),
      .error = {true, error},
      .call = {true, bw_call()},
  };
  return false;
}

bool bw_number(bw_target target, const char *name, double *value, probe_failure_t *why) {
  probe_string_t key;
  bailiwick_ops_params_value_t found;
  probe_string_set(&key, name);
  if (!bailiwick_ops_params_get(target, &key, &found) || found.tag != BAILIWICK_OPS_PARAMS_VALUE_NUMBER)
    return bw_cannot(why, bw_text("parameter %s is not declared as a number", name));
  *value = found.val.number;
  return true;
}

bool bw_slot(bw_target target, const char *name, bw_entry *entry, probe_failure_t *why) {
  probe_string_t key;
  bailiwick_ops_slots_list_entry_t entries;
  probe_string_set(&key, name);
  bailiwick_ops_slots_entries(target, &key, &entries);
  if (entries.len == 0) return bw_cannot(why, bw_text("nothing is bound to slot %s", name));
  *entry = entries.ptr[0];
  return true;
}

uint32_t bw_call(void) { return bailiwick_ops_calls_last(); }

bw_finding *bw_find(probe_report_t *report, const char *code, bailiwick_ops_reports_severity_t severity,
                    probe_string_t subject, probe_string_t title) {
  report->findings.ptr = grown(report->findings.ptr, report->findings.len, sizeof(bw_finding));
  bw_finding *finding = &report->findings.ptr[report->findings.len++];
  // The bindings free each part of the report separately.
  *finding = (bw_finding){
      .code = bw_text("%s", code),
      .severity = severity,
      .subject = bw_text("%.*s", BW_ARG(subject)),
      .title = bw_text("%.*s", BW_ARG(title)),
  };
  return finding;
}

void bw_metric(bw_finding *finding, const char *name, double value, bailiwick_ops_reports_unit_t unit) {
  finding->metrics.ptr = grown(finding->metrics.ptr, finding->metrics.len, sizeof(bailiwick_ops_reports_metric_t));
  finding->metrics.ptr[finding->metrics.len++] =
      (bailiwick_ops_reports_metric_t){.name = bw_text("%s", name), .value = value, .unit = unit};
}

void bw_because(bw_finding *finding, uint32_t call) {
  finding->evidence.ptr = grown(finding->evidence.ptr, finding->evidence.len, sizeof(uint32_t));
  finding->evidence.ptr[finding->evidence.len++] = call;
}

// The component's one export: checks each target of the run.
bool exports_probe_examine(probe_list_own_target_t *targets, probe_report_t *report, probe_failure_t *why) {
  *report = (probe_report_t){0};
  for (size_t i = 0; i < targets->len; i++) {
    bw_target target = bailiwick_ops_types_borrow_target(targets->ptr[i]);
    size_t first = report->findings.len;
    if (!bw_check(target, report, why)) return false;
    if (targets->len == 1) break;
    probe_string_t name;
    bailiwick_ops_types_method_target_name(target, &name);
    for (bw_finding *it = report->findings.ptr + first; it < report->findings.ptr + report->findings.len; it++)
      it->subject = it->subject.len == 0 ? bw_text("%.*s", BW_ARG(name))
                                         : bw_text("%.*s %.*s", BW_ARG(name), BW_ARG(it->subject));
  }
  return true;
}
