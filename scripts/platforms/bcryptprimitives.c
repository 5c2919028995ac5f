/*
 * A bcryptprimitives.dll for wine 8, which has none: random bytes come from advapi32's
 * RtlGenRandom, whose exported name is SystemFunction036.
 */
#include <stddef.h>

__declspec(dllimport) unsigned char SystemFunction036(void *buffer, unsigned long length);

__declspec(dllexport) int ProcessPrng(unsigned char *data, size_t length) {
  while (length > 0) {
    unsigned long part = length > 0x10000000 ? 0x10000000 : (unsigned long)length;
    if (!SystemFunction036(data, part)) return 0;
    data += part;
    length -= part;
  }
  return 1;
}
