// The model families that engines of ours know, in one table: adding one is a file beside this and a line in
// families.cc.
//
// Thread-safety: immutable data.
#ifndef BERTHA_MODELS_FAMILIES_FAMILIES_H_
#define BERTHA_MODELS_FAMILIES_FAMILIES_H_

#include <span>

#include "absl/strings/string_view.h"

namespace bertha::models {

struct Family {
  /// As in bertha.json.
  const char* name;
  /// Keys of its own in bertha.json's `encoder`.
  bool padding_id = false;
  bool summary_activation = false;  ///< of a sequence classifier
};

std::span<const Family> Families();

/// nullptr if no family has this name.
const Family* FindFamily(absl::string_view name);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_FAMILIES_FAMILIES_H_
