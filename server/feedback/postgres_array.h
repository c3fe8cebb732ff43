// The text form of a PostgreSQL array, one element after the other.
// https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
#ifndef BERTHA_SERVER_FEEDBACK_POSTGRES_ARRAY_H_
#define BERTHA_SERVER_FEEDBACK_POSTGRES_ARRAY_H_

#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace bertha::feedback {

class PostgresArray {
 public:
  void Add(absl::string_view element) {
    Separate();
    text_ += '"';
    for (const char c : element) {
      if (c == '"' || c == '\\') text_ += '\\';
      text_ += c;
    }
    text_ += '"';
  }
  void AddNull() {
    Separate();
    text_ += "NULL";
  }
  std::string Finish() && { return std::move(text_) + "}"; }

 private:
  void Separate() {
    if (text_.size() > 1) text_ += ',';
  }

  std::string text_ = "{";
};

}  // namespace bertha::feedback

#endif  // BERTHA_SERVER_FEEDBACK_POSTGRES_ARRAY_H_
