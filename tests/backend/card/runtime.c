// A CUDA runtime and driver with a card that computes nothing, for the real CuPy on top of them.
//
// Memory is the host's and full of zeros, a copy is a copy, a kernel that is launched is looked at
// and not run: does its module have it, and would this grid, these registers, this shared memory
// start? What a stream that is being captured may not do raises, as on a card. It shows which calls
// CuPy and its callers make. It shows nothing of what a kernel computes, nor of time.
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Of Python as much as is needed, without its headers.
typedef struct Object Object;
extern Object _Py_NoneStruct, *PyExc_RuntimeError;
extern void Py_IncRef(Object *);
extern void PyErr_SetString(Object *, const char *);
extern Object *Py_BuildValue(const char *, ...);

long launches, captured, graphs, refused;  // counted for the tests
static intptr_t capturing, handles = 1 << 20;

static Object *none(void) { return Py_IncRef(&_Py_NoneStruct), &_Py_NoneStruct; }
static Object *refuse(const char *why) {
    refused++;
    PyErr_SetString(PyExc_RuntimeError, why);
    return 0;
}
static Object *unless_capturing(const char *what) { return capturing ? refuse(what) : none(); }
static void queue(intptr_t stream) {
    launches++;
    if (capturing && stream == capturing) captured++;
    else if (capturing) refused++;  // it would not be in the graph
}

// --- the runtime, as CuPy's Cython modules call it; the last argument is Cython's own -------------

static Object *done(intptr_t handle, int own) { return none(); }
static Object *done_int(int number, int own) { return none(); }
static Object *ensure(void) { return none(); }
static Object *zero(intptr_t handle, int own) { return Py_BuildValue("i", 0); }
static Object *memory_info(int own) { return Py_BuildValue("(ll)", 70L << 30, 80L << 30); }
static Object *synchronize(int own) { return unless_capturing("synchronize while capturing"); }
static Object *synchronize_one(intptr_t handle, int own) { return synchronize(own); }
static Object *release(intptr_t address, int own) { return free((void *)address), none(); }
static intptr_t allocate(size_t size, int own) {
    void *address = aligned_alloc(512, (size + 511) / 512 * 512);
    return address ? (intptr_t)memset(address, 0, size) : (refuse("out of memory"), 0);
}
static intptr_t allocate_host(size_t size, unsigned flags, int own) { return allocate(size, own); }
static Object *copy(intptr_t to, intptr_t from, size_t size, int kind, intptr_t stream, int own) {
    queue(stream);
    if (capturing && (kind == 1 || kind == 2)) return refuse("a copy from or to the host is captured");
    return memcpy((void *)to, (void *)from, size), none();
}
static Object *fill(intptr_t to, int byte, size_t size, intptr_t stream, int own) {
    queue(stream);
    return memset((void *)to, byte, size), none();
}
static intptr_t handle_0(int own) { return handles += 16; }
static intptr_t handle_1(unsigned flags, int own) { return handles += 16; }
static intptr_t handle_2(unsigned flags, int priority, int own) { return handles += 16; }
static Object *record(intptr_t event, intptr_t stream, int own) { return none(); }
static Object *wait(intptr_t stream, intptr_t event, int own, void *rest) { return none(); }
static float elapsed(intptr_t start, intptr_t end, int own) { return 0.5f; }
static int device(int own) { return 0; }
static int devices(int own) { return 1; }
static int version(int own) { return 13000; }
static int attribute(int name, int device, int own) {
    return name == 75 ? 9 : name == 76 ? 0 : name == 16 ? 132 : name == 10 ? 32 : 1024;
}
static int not_pinned(intptr_t address, int own) { return 0; }
static Object *begin(intptr_t stream, int own, void *mode) { return captured = 0, capturing = stream, none(); }
static intptr_t end(intptr_t stream, int own) {
    if (!capturing) return refuse("there is no capture to end"), 0;
    return capturing = 0, graphs++, handles += 16;
}
static intptr_t instantiate(intptr_t graph, int own) { return graph; }
static Object *launch_graph(intptr_t graph, intptr_t stream, int own) { return launches++, none(); }
static int is_capturing(intptr_t stream, int own) { return capturing && stream == capturing; }

static const struct { const char *name; void *function; } functions[] = {
    {"_ensure_context", ensure}, {"setDevice", done_int}, {"getDevice", device},
    {"getDeviceCount", devices}, {"deviceGetAttribute", attribute}, {"driverGetVersion", version},
    {"runtimeGetVersion", version}, {"memGetInfo", memory_info}, {"malloc", allocate},
    {"free", release}, {"hostAlloc", allocate_host}, {"freeHost", release},
    {"memcpyAsync", copy}, {"memsetAsync", fill}, {"pointerGetMemoryType", not_pinned},
    {"streamCreate", handle_0}, {"streamCreateWithFlags", handle_1},
    {"streamCreateWithPriority", handle_2}, {"streamDestroy", done}, {"streamQuery", zero},
    {"streamSynchronize", synchronize_one}, {"deviceSynchronize", synchronize},
    {"streamWaitEvent", wait}, {"streamBeginCapture", begin}, {"streamEndCapture", end},
    {"streamIsCapturing", is_capturing}, {"eventCreate", handle_0},
    {"eventCreateWithFlags", handle_1}, {"eventDestroy", done}, {"eventQuery", zero},
    {"eventRecord", record}, {"eventSynchronize", synchronize_one}, {"eventElapsedTime", elapsed},
    {"graphInstantiate", instantiate}, {"graphLaunch", launch_graph}, {"graphDestroy", done},
    {"graphExecDestroy", done},
};

void *find(const char *name) {
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(functions[i].name, name)) return functions[i].function;
    return 0;
}

// --- the driver: modules and launches ---------------------------------------------------------------

typedef struct { int registers, shared; } Function;

int cuModuleLoadData(char **module, const char *image) {
    const Elf64_Ehdr *head = (const void *)image;
    if (memcmp(image, ELFMAG, SELFMAG)) return 200;
    const Elf64_Shdr *sections = (const void *)(image + head->e_shoff);
    size_t size = head->e_shoff + head->e_shnum * sizeof *sections;
    for (int i = 0; i < head->e_shnum; i++)
        if (sections[i].sh_type != SHT_NOBITS && sections[i].sh_offset + sections[i].sh_size > size)
            size = sections[i].sh_offset + sections[i].sh_size;
    *module = memcpy(malloc(size), image, size);
    return 0;
}

int cuModuleGetFunction(Function **function, const char *module, const char *name) {
    const Elf64_Ehdr *head = (const void *)module;
    const Elf64_Shdr *sections = (const void *)(module + head->e_shoff);
    const char *names = module + sections[head->e_shstrndx].sh_offset;
    Function found = {-1, 0};
    for (int i = 0; i < head->e_shnum; i++) {
        const char *section = names + sections[i].sh_name;
        if (!strncmp(section, ".text.", 6) && !strcmp(section + 6, name))
            found.registers = sections[i].sh_info >> 24;
        if (!strncmp(section, ".nv.shared.", 11) && !strcmp(section + 11, name))
            found.shared = sections[i].sh_size;
    }
    if (found.registers < 0) return 500;
    *function = memcpy(malloc(sizeof found), &found, sizeof found);
    return 0;
}

int cuLaunchKernel(Function *f, unsigned x, unsigned y, unsigned z, unsigned u, unsigned v, unsigned w,
                   unsigned shared, intptr_t stream, void **arguments, void **rest) {
    const unsigned long threads = (u * v * w + 31ul) / 32 * 32;
    queue(stream);
    if (x && y && z && threads && x <= 0x7fffffff && y <= 65535 && z <= 65535 && threads <= 1024 &&
        (f->registers + 7) / 8 * 8 * threads <= 65536 && f->shared + shared <= 48 << 10)
        return 0;
    refused++;
    fprintf(stderr, "grid %u %u %u, block %u %u %u, %d registers\n", x, y, z, u, v, w, f->registers);
    return 701;
}

int cuModuleUnload(char *module) { return free(module), 0; }
int cuGetErrorName(int error, const char **text) { return *text = "refused by the stand-in", 0; }
int cuGetErrorString(int error, const char **text) { return *text = error == 500 ? "no such function" : "it would not start", 0; }
