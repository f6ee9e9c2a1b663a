// Room for more copies of a file on its filesystem: will the next backups fit?
#include "bailiwick.h"

#include <string.h>

// True if a path lies on or below a mount point.
static bool is_below(probe_string_t mount, probe_string_t path) {
  if (mount.len == 1) return true; // "/"
  return path.len >= mount.len && memcmp(path.ptr, mount.ptr, mount.len) == 0 &&
         (path.len == mount.len || path.ptr[mount.len] == '/');
}

bool bw_check(bw_target target, probe_report_t *report, probe_failure_t *why) {
  double warn, critical;
  bw_entry file;
  if (!bw_number(target, "warn-copies", &warn, why)) return false;
  if (!bw_number(target, "critical-copies", &critical, why)) return false;
  if (!bw_slot(target, "file", &file, why)) return false;
  probe_string_t path = file.literal;

  bailiwick_ops_types_verb_error_t error;
  bailiwick_ops_files_stat_info_t stat;
  bool answered = bailiwick_ops_files_stat(target, &file.key, &stat, &error);
  uint32_t stat_call = bw_call();
  if (!answered && error == BAILIWICK_OPS_TYPES_VERB_ERROR_NOT_FOUND) {
    bw_because(bw_find(report, "file", BAILIWICK_OPS_REPORTS_SEVERITY_CRITICAL, path,
                       bw_text("%.*s does not exist", BW_ARG(path))), stat_call);
    return true;
  }
  if (!answered) return bw_failed(why, "files.stat", error);
  if (stat.kind != BAILIWICK_OPS_FILES_KIND_REGULAR) {
    bw_because(bw_find(report, "file", BAILIWICK_OPS_REPORTS_SEVERITY_UNKNOWN, path,
                       bw_text("%.*s is not a regular file", BW_ARG(path))), stat_call);
    return true;
  }
  if (stat.size == 0) {
    bw_because(bw_find(report, "file", BAILIWICK_OPS_REPORTS_SEVERITY_WARNING, path,
                       bw_text("%.*s is empty", BW_ARG(path))), stat_call);
    return true;
  }

  bailiwick_ops_system_list_filesystem_t mounted;
  answered = bailiwick_ops_system_filesystems(target, &mounted, &error);
  uint32_t mounted_call = bw_call();
  if (!answered && error == BAILIWICK_OPS_TYPES_VERB_ERROR_UNSUPPORTED) {
    bw_because(bw_find(report, "room", BAILIWICK_OPS_REPORTS_SEVERITY_UNKNOWN, path,
                       bw_text("the target cannot list its filesystems")), mounted_call);
    return true;
  }
  if (!answered) return bw_failed(why, "system.filesystems", error);

  // The deepest mount point above the file; of two at one place, the upper one.
  const bailiwick_ops_system_filesystem_t *home = NULL;
  for (size_t i = 0; i < mounted.len; i++) {
    const bailiwick_ops_system_filesystem_t *it = &mounted.ptr[i];
    if (is_below(it->mount_point, path) && (home == NULL || it->mount_point.len >= home->mount_point.len)) home = it;
  }
  if (home == NULL) {
    bw_because(bw_find(report, "room", BAILIWICK_OPS_REPORTS_SEVERITY_UNKNOWN, path,
                       bw_text("no mounted filesystem holds %.*s", BW_ARG(path))), mounted_call);
    return true;
  }

  uint64_t copies = home->available / stat.size;
  bailiwick_ops_reports_severity_t severity = (double)copies < critical ? BAILIWICK_OPS_REPORTS_SEVERITY_CRITICAL
                                              : (double)copies < warn   ? BAILIWICK_OPS_REPORTS_SEVERITY_WARNING
                                                                        : BAILIWICK_OPS_REPORTS_SEVERITY_OK;
  bw_finding *room =
      bw_find(report, "room", severity, path,
              bw_text("%.*s has room for %llu more copies of %.*s", BW_ARG(home->mount_point), copies, BW_ARG(path)));
  bw_metric(room, "copies", (double)copies, BAILIWICK_OPS_REPORTS_UNIT_COUNT);
  bw_metric(room, "available-bytes", (double)home->available, BAILIWICK_OPS_REPORTS_UNIT_BYTES);
  bw_metric(room, "file-bytes", (double)stat.size, BAILIWICK_OPS_REPORTS_UNIT_BYTES);
  bw_because(room, stat_call);
  bw_because(room, mounted_call);
  return true;
}
