// Models beside one another on the same labelled texts: who is right, how fast, how large. Pure.
//
// In the order in which such studies are read: by accuracy, then MCC, then time. What a model costs and what it gives
// are told as shares of the most accurate one's: "half the size, most of the accuracy?"
#ifndef BERTHA_BENCH_EVAL_STUDY_H_
#define BERTHA_BENCH_EVAL_STUDY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/eval/metrics.h"

namespace bertha::eval {

struct ModelResult {
  std::string name;
  int64_t version = 0;
  std::string family, engine, device, dtype;
  /// In memory, as the server says; 0: it does not.
  uint64_t weight_bytes = 0;
  Metrics metrics;
  double seconds = 0;  ///< from the first call to the last answer
  /// The text's part of its batch's forward pass: microseconds, mean. Unset if nothing was answered.
  std::optional<double> compute_us;
  size_t truncated = 0;                    ///< texts that were longer than the model takes
  std::map<std::string, size_t> failures;  ///< by code
  /// Of the texts, but not of the model: texts that have these cannot be judged rightly.
  std::vector<std::string> unknown_labels;

  double texts_per_s() const { return seconds > 0 ? static_cast<double>(metrics.texts) / seconds : 0; }
  std::string title() const;  ///< "sentiment-bert v1"
};

struct Study {
  std::string started;  ///< RFC 3339, UTC
  std::vector<std::string> command;
  std::string file;
  size_t texts = 0;
  std::map<std::string, size_t> labels;  ///< of the texts, and how many have each
  std::string address;                   ///< of the server
  /// How the texts were sent.
  size_t batch = 0, in_flight = 0;
  std::vector<ModelResult> models;
};

/// Of a model, to the most accurate one of its study.
struct Shares {
  double accuracy = 0;
  std::optional<double> faster;  ///< times; by the time of the evaluation
  std::optional<double> size;
};

/// Into the order of the study.
void Sort(Study& study);

/// `study` is sorted.
Shares SharesOf(const ModelResult& model, const Study& study);

/// Schema bertha.eval/1. No text is in it.
nlohmann::ordered_json ToJson(const Study& study);

/// The table of the study and those of each model, for a README. Fit for any Markdown that has tables.
std::string ToMarkdown(const Study& study);

/// One page that needs no network.
std::string ToHtml(const Study& study);

}  // namespace bertha::eval

#endif  // BERTHA_BENCH_EVAL_STUDY_H_
