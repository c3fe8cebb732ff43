// What `bertha load --out DIR` writes. No text that was sent is in any file.
#ifndef BERTHA_CLIENTS_CLI_LOAD_FILES_H_
#define BERTHA_CLIENTS_CLI_LOAD_FILES_H_

#include <cstddef>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "bench/load/summary_json.h"
#include "bench/load/trials.h"

namespace bertha::cli {

class LoadFiles {
 public:
  /// Empty: nothing is written.
  explicit LoadFiles(std::string folder) : folder_(std::move(folder)) {}

  /// Makes the folder. INVALID_ARGUMENT, here and below, if something cannot be written.
  absl::Status Open();
  /// Its calls, to requests.csv. Runs count from 1.
  absl::Status Add(size_t run, const load::Trial& trial);
  /// report.json, report.html, and latency.hgrm of the last run.
  absl::Status Finish(const load::Report& report, const load::Json& json);

 private:
  std::string PathOf(absl::string_view name) const;

  const std::string folder_;
  std::ofstream requests_;
};

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_LOAD_FILES_H_
