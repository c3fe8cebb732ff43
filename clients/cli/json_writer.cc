#include <nlohmann/json.hpp>
#include <string>

#include "clients/cli/output.h"

namespace bertha::cli {
namespace {

/// Keeps the order of keys, and prints a float with the digits of a float (0.9, not 0.8999999761581421).
using Json = nlohmann::basic_json<nlohmann::ordered_map, std::vector, std::string, bool, int64_t, uint64_t, float>;

Json AnswerJson(const Answer& answer, bool with_logits) {
  Json json;
  json["label"] = answer.scores.empty() ? Json() : Json(answer.scores[0].label);
  json["score"] = answer.scores.empty() ? Json() : Json(answer.scores[0].score);
  json["scores"] = Json::array();
  for (const LabelScore& s : answer.scores) json["scores"].push_back(Json{{"label", s.label}, {"score", s.score}});
  if (with_logits) json["logits"] = answer.logits;
  json["timing_us"] = Json{{"tokenize", answer.timing.tokenize_us},
                           {"queue", answer.timing.queue_us},
                           {"compute", answer.timing.compute_us},
                           {"total", answer.timing.total_us}};
  json["tokens"] = answer.tokens;
  json["truncated"] = answer.truncated;
  json["model"] = answer.model->name;
  json["version"] = answer.model->version;
  json["engine"] = answer.model->engine;
  json["batch_size"] = answer.batch_size;
  return json;
}

class JsonWriter : public RowWriter {
 public:
  explicit JsonWriter(bool with_logits) : with_logits_(with_logits) {}

  std::string Rows(absl::Span<const Row> rows) override {
    std::string lines;
    for (const Row& row : rows) {
      Json json{{"index", row.input.index}};
      if (row.answer.ok()) {
        json.update(AnswerJson(*row.answer, with_logits_));
      } else {
        const absl::Status& error = row.answer.status();
        json["error"] = Json{{"code", CodeName(error.code())}, {"message", std::string(error.message())}};
      }
      lines += json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    }
    return lines;
  }

 private:
  const bool with_logits_;
};

}  // namespace

std::unique_ptr<RowWriter> MakeJsonWriter(bool with_logits) { return std::make_unique<JsonWriter>(with_logits); }

}  // namespace bertha::cli
