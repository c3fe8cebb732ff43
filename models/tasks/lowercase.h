// Lower case as Python's str.lower has it: full, and with the rule for the final sigma.
//
// Source: The Unicode Standard, sections 3.13 and 5.18. What counts as a letter around a sigma is a little wider here
// (any letter, not those with case only), and what is passed over a little narrower (marks, apostrophes and full
// stops). Thread-safety: a free function without state.
#ifndef BERTHA_MODELS_TASKS_LOWERCASE_H_
#define BERTHA_MODELS_TASKS_LOWERCASE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace bertha::models {

/// Replaces the content of `out`. `text` is UTF-8.
void Lowercase(absl::string_view text, std::string& out);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_TASKS_LOWERCASE_H_
