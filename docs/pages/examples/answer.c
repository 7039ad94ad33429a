/* Answers one request with a SavedModel of kerasuite. Needs TensorFlow's library, no Python.
 *
 *   answer MODEL OUTPUT INPUT=TEXT|INPUT=@FILE|INPUT:int64=NUMBER|INPUT:float:ROWSxCOLUMNS=FILE...
 *          [LIBRARY.so...]
 *
 * OUTPUT (such as StatefulPartitionedCall:1) and INPUT (such as serving_default_image_bytes) are the
 * names that `saved_model_cli show --dir MODEL --all` prints. The libraries hold further operations:
 * those of tensorflow-text, for models that tokenize text. One value of the output a line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

static TF_Status* status;

static void check(int fine, const char* what) {
  if (fine && TF_GetCode(status) == TF_OK) return;
  fprintf(stderr, "%s: %s\n", what, TF_Message(status));
  exit(1);
}

static void set_text(TF_Tensor* tensor, const char* text) {
  TF_TString* string = TF_TensorData(tensor);
  TF_StringInit(string);
  if (*text != '@') return TF_StringCopy(string, text, strlen(text));
  FILE* file = fopen(text + 1, "rb");
  check(file != NULL, text);
  static char bytes[1 << 26];
  TF_StringCopy(string, bytes, fread(bytes, 1, sizeof bytes, file));
  fclose(file);
}

/* The numbers of a file, with blanks or line ends between them. */
static TF_Tensor* matrix(const char* sides, const char* path) {
  long rows, columns;
  check(sscanf(sides, "%ldx%ld", &rows, &columns) == 2, sides);
  int64_t shape[] = {1, rows, columns};
  TF_Tensor* tensor = TF_AllocateTensor(TF_FLOAT, shape, 3, rows * columns * sizeof(float));
  float* numbers = TF_TensorData(tensor);
  FILE* file = fopen(path, "r");
  check(file != NULL, path);
  for (long i = 0; i < rows * columns; i++) check(fscanf(file, "%f", numbers + i) == 1, path);
  fclose(file);
  return tensor;
}

/* Batch of one. */
static TF_Tensor* input_tensor(const char* value, const char* type) {
  if (type && !strncmp(type, "float:", 6)) return matrix(type + 6, value);
  int is_number = type != NULL;
  int64_t shape[] = {1};
  size_t size = is_number ? sizeof(int64_t) : sizeof(TF_TString);
  TF_Tensor* tensor = TF_AllocateTensor(is_number ? TF_INT64 : TF_STRING, shape, 1, size);
  if (is_number) *(int64_t*)TF_TensorData(tensor) = strtoll(value, NULL, 10);
  else set_text(tensor, value);
  return tensor;
}

static void print_value(TF_DataType type, const void* data, int64_t i) {
  const TF_TString* strings = data;
  if (type == TF_FLOAT) printf("%.9g\n", ((const float*)data)[i]);
  else if (type == TF_INT32) printf("%d\n", ((const int32_t*)data)[i]);
  else if (type == TF_INT64) printf("%lld\n", (long long)((const int64_t*)data)[i]);
  else if (type == TF_BOOL) printf("%d\n", ((const unsigned char*)data)[i]);
  else if (type == TF_STRING) {
    fwrite(TF_StringGetDataPointer(strings + i), 1, TF_StringGetSize(strings + i), stdout);
    putchar('\n');
  } else check(0, "an output of this type is not printed");
}

int main(int count, char** words) {
  status = TF_NewStatus();
  check(count >= 4, "usage: answer MODEL OUTPUT INPUT=TEXT... [LIBRARY.so...]");
  for (int i = 3; i < count; i++)
    if (!strchr(words[i], '=')) TF_LoadLibrary(words[i], status), check(1, words[i]);
  TF_Graph* graph = TF_NewGraph();
  const char* tags[] = {"serve"};
  TF_Session* session = TF_LoadSessionFromSavedModel(
      TF_NewSessionOptions(), NULL, words[1], tags, 1, graph, NULL, status);
  check(session != NULL, words[1]);

  TF_Output inputs[16];
  TF_Tensor *values[16], *answer = NULL;
  int given = 0;
  for (int i = 3; i < count && given < 16; i++) {
    char* value = strchr(words[i], '=');
    if (!value) continue;
    *value++ = 0;
    char* type = strchr(words[i], ':');
    if (type) *type++ = 0;
    inputs[given] = (TF_Output){TF_GraphOperationByName(graph, words[i]), 0};
    check(inputs[given].oper != NULL, words[i]);
    values[given++] = input_tensor(value, type);
  }
  char* index = strchr(words[2], ':');
  if (index) *index++ = 0;
  TF_Output output = {TF_GraphOperationByName(graph, words[2]), index ? atoi(index) : 0};
  check(output.oper != NULL, words[2]);
  TF_SessionRun(session, NULL, inputs, values, given, &output, &answer, 1, NULL, 0, NULL, status);
  check(answer != NULL, "run");
  int64_t elements = TF_TensorElementCount(answer);
  for (int64_t i = 0; i < elements; i++)
    print_value(TF_TensorType(answer), TF_TensorData(answer), i);
  return 0;
}
