// tokenizer_json PATH: prints the tokenizer.json that a vocabulary file stands for. For tests that load it into the
// reference library, and for whoever wants to see it.
#include <iostream>

#include "tokenizer/tokenizer_files.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: tokenizer_json PATH\n";
    return 2;
  }
  const auto file = bertha::tokenizer::ReadAsTokenizerJson(argv[1]);
  if (!file.ok()) {
    std::cerr << file.status() << "\n";
    return 1;
  }
  std::cout << file->content << "\n";
  return 0;
}
