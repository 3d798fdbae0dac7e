namespace TaskService.Tests.Storage;

public sealed class MemoryEngineTests() : StoreContract("memory");
