#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "clients/cli/output.h"

namespace bertha::cli {
namespace {

std::string Quoted(absl::string_view field) {
  if (field.find_first_of(",\"\r\n") == absl::string_view::npos) return std::string(field);
  std::string quoted = "\"";
  for (const char c : field) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

class CsvWriter : public RowWriter {
 public:
  std::string Begin() override {
    return "index,label,score,tokens,truncated,tokenize_us,queue_us,compute_us,total_us,batch_size,model,version,"
           "engine,"
           "error\n";
  }

  std::string Rows(absl::Span<const Row> rows) override {
    std::string lines;
    for (const Row& row : rows) {
      absl::StrAppend(&lines, row.input.index, ",");
      if (row.answer.ok()) {
        AppendAnswer(*row.answer, lines);
      } else {
        const absl::Status& error = row.answer.status();
        absl::StrAppend(&lines, ",,,,,,,,,,,,",  // label to engine
                        Quoted(absl::StrCat(CodeName(error.code()), ": ", error.message())), "\n");
      }
    }
    return lines;
  }

 private:
  static void AppendAnswer(const Answer& answer, std::string& lines) {
    if (answer.scores.empty()) {
      lines += ",";
    } else {
      absl::StrAppend(&lines, Quoted(answer.scores[0].label), ",", answer.scores[0].score);
    }
    const Timing& t = answer.timing;
    absl::StrAppend(&lines, ",", answer.tokens, ",", answer.truncated ? "true" : "false", ",", t.tokenize_us, ",");
    absl::StrAppend(&lines, t.queue_us, ",", t.compute_us, ",", t.total_us, ",", answer.batch_size, ",");
    absl::StrAppend(&lines, Quoted(answer.model->name), ",", answer.model->version, ",", Quoted(answer.model->engine),
                    ",\n");
  }
};

}  // namespace

std::unique_ptr<RowWriter> MakeCsvWriter() { return std::make_unique<CsvWriter>(); }

}  // namespace bertha::cli
