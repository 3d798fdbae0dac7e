using System.Text;
using BenchmarkDotNet.Attributes;
using TaskService.Domain;
using TaskService.Storage.Tasks;
using TaskService.Tasks;

namespace TaskService.Benchmarks.Micro;

/// <summary>A task on its way: read, mapped between its models, given a version, written.</summary>
[MemoryDiagnoser]
public class TaskBenchmark
{
    private readonly byte[] json = Encoding.UTF8.GetBytes(
        """{"title":"Complete Chapter-2","description":"Building and Running a given service","priority":"high"}""");

    private readonly IdGenerator ids = new(TimeProvider.System);
    private TaskJson task = null!;
    private Stored<TaskEntry> stored = null!;
    private TaskRow row = null!;

    [GlobalSetup]
    public void Make()
    {
        task = TaskJson.Members.Read(json, []);
        stored = new Stored<TaskEntry>(ids.Next(), task.ToDomain());
        row = TaskRow.FromDomain(stored.Value);
    }

    [Benchmark]
    public string NewId() => ids.Next();

    [Benchmark]
    public object Read() => TaskJson.Members.Read(json, []);

    [Benchmark]
    public object JsonToDomain() => task.ToDomain();

    [Benchmark]
    public UInt128 Version() => stored.Value.ComputeVersion().Hash;

    [Benchmark]
    public object DomainToRow() => TaskRow.FromDomain(stored.Value);

    [Benchmark]
    public object? RowToDomain() => row.TryToDomain(out var entry, out _) ? entry : null;

    [Benchmark]
    public byte[] Encode()
    {
        stored.CachedRepresentation = null;
        return TaskEndpoints.Representation.Member(stored);
    }
}
