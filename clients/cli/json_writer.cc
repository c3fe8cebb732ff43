#include <string>
#include <utility>

#include "clients/cli/json.h"
#include "clients/cli/output.h"

namespace bertha::cli {
namespace {

/// What every task's results have.
Json AccountJson(const Result& result) {
  return {{"timing_us", Json{{"tokenize", result.timing.tokenize_us},
                             {"queue", result.timing.queue_us},
                             {"compute", result.timing.compute_us},
                             {"total", result.timing.total_us}}},
          {"tokens", result.tokens},
          {"truncated", result.truncated},
          {"windows", result.windows},
          {"model", result.model->name},
          {"version", result.model->version},
          {"engine", result.model->engine},
          {"batch_size", result.batch_size}};
}

class JsonWriter : public RowWriter {
 public:
  explicit JsonWriter(JsonBody body) : body_(std::move(body)) {}

  std::string Rows(absl::Span<const Row> rows) override {
    std::string lines;
    for (const Row& row : rows) {
      Json json{{"index", row.input.index}};
      if (row.result.ok()) {
        json.update(body_(*row.result));
        json.update(AccountJson(*row.result));
      } else {
        const absl::Status& error = row.result.status();
        json["error"] = Json{{"code", CodeName(error.code())}, {"message", std::string(error.message())}};
      }
      lines += JsonLine(json);
    }
    return lines;
  }

 private:
  const JsonBody body_;
};

}  // namespace

std::unique_ptr<RowWriter> MakeJsonWriter(JsonBody body) { return std::make_unique<JsonWriter>(std::move(body)); }

}  // namespace bertha::cli
