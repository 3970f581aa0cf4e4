// Lets LightGBM do its two collective operations by functions of ours. They say what went wrong by text and return; it is
// thrown here, and LightGBM makes it the error of the call under way, as it does with its own.
#include <cstddef>
#include <cstdint>
#include <stdexcept>

using Reduce = void (*)(const char *input, char *output, int type_size, int32_t size);
using ReduceScatter = int (*)(const char *input, int32_t input_size, int type_size, const int32_t *starts, const int32_t *lengths, int blocks,
                              char *output, int32_t output_size, Reduce reduce, char *problem, size_t problem_size);
using Allgather = int (*)(const char *input, int32_t input_size, const int32_t *starts, const int32_t *lengths, int blocks, char *output,
                          int32_t output_size, char *problem, size_t problem_size);

extern "C" int LGBM_NetworkInitWithFunctions(int machines, int rank, void *reduce_scatter, void *allgather);

namespace {

// Every thread that joins gives the same two.
thread_local ReduceScatter reduce_scatter_function = nullptr;
thread_local Allgather allgather_function = nullptr;

constexpr size_t kProblem = 256;

void reduce_scatter(char *input, int32_t input_size, int type_size, const int32_t *starts, const int32_t *lengths, int blocks, char *output,
                    int32_t output_size, const Reduce &reduce) {
  char problem[kProblem] = "";
  if (reduce_scatter_function(input, input_size, type_size, starts, lengths, blocks, output, output_size, reduce, problem, kProblem) != 0) {
    throw std::runtime_error(problem);
  }
}

void allgather(char *input, int32_t input_size, const int32_t *starts, const int32_t *lengths, int blocks, char *output, int32_t output_size) {
  char problem[kProblem] = "";
  if (allgather_function(input, input_size, starts, lengths, blocks, output, output_size, problem, kProblem) != 0) {
    throw std::runtime_error(problem);
  }
}

}  // namespace

extern "C" int trees_network_join(int machines, int rank, ReduceScatter scatter, Allgather gather) {
  reduce_scatter_function = scatter;
  allgather_function = gather;
  return LGBM_NetworkInitWithFunctions(machines, rank, reinterpret_cast<void *>(&reduce_scatter), reinterpret_cast<void *>(&allgather));
}
