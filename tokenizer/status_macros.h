// Passing errors on. Both macros return from the enclosing function if the expression's status is not OK.
#ifndef BERTHA_TOKENIZER_STATUS_MACROS_H_
#define BERTHA_TOKENIZER_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define TOKENIZER_RETURN_IF_ERROR(expression)                            \
  do {                                                                   \
    if (absl::Status status = (expression); !status.ok()) return status; \
  } while (false)

#define TOKENIZER_CONCAT_INNER(a, b) a##b
#define TOKENIZER_CONCAT(a, b) TOKENIZER_CONCAT_INNER(a, b)
#define TOKENIZER_ASSIGN_INNER(result, declaration, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) return std::move(result).status();          \
  declaration = *std::move(result)

/// TOKENIZER_ASSIGN_OR_RETURN(auto value, StatusOrExpression());
#define TOKENIZER_ASSIGN_OR_RETURN(declaration, expression) \
  TOKENIZER_ASSIGN_INNER(TOKENIZER_CONCAT(status_or_, __LINE__), declaration, expression)

#endif  // BERTHA_TOKENIZER_STATUS_MACROS_H_
