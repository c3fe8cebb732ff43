// What a person said about one answer of one model.
#ifndef BERTHA_SERVER_FEEDBACK_VOTE_H_
#define BERTHA_SERVER_FEEDBACK_VOTE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace bertha::feedback {

enum class Verdict { kRight, kWrong };

/// All strings are UTF-8 without NUL characters; databases take no others.
struct Vote {
  /// When it was given: microseconds since 1970-01-01 UTC.
  int64_t time_us = 0;
  /// What was judged.
  std::string text;
  std::optional<std::string> text_pair;
  /// Who answered, and what.
  std::string model;
  int64_t version = 0;
  std::string label;
  float score = 0;
  Verdict verdict = Verdict::kRight;
  /// With kWrong, if the person knew better; else empty.
  std::string correct_label;
  /// Address of who voted; empty unless that is to be kept.
  std::string client;
  /// Of the call that brought it, as in the log.
  std::string request_id;

  bool operator==(const Vote&) const = default;

  /// What it takes in memory, about.
  size_t bytes() const {
    return sizeof(Vote) + text.size() + (text_pair ? text_pair->size() : 0) + model.size() + label.size() +
           correct_label.size() + client.size() + request_id.size();
  }
};

/// As it lies in a database.
struct StoredVote {
  /// From 1, increasing, never used again.
  int64_t id = 0;
  Vote vote;
};

}  // namespace bertha::feedback

#endif  // BERTHA_SERVER_FEEDBACK_VOTE_H_
