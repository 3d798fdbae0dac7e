using System.Buffers;
using System.Reflection;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using TaskService.Api;
using TaskService.Domain;
using TaskService.Storage;
using TaskService.Tests.Support;

namespace TaskService.Tests.Domain;

/// <summary>The three models say the same, and a property that is added to one must be added to all.</summary>
public sealed class ModelTests
{
    /// <summary>One value of each property that is not its default. A new property is added here, too.</summary>
    private static readonly TaskEntry Everything = new()
    {
        Title = "Task1",
        Description = "Description1",
        Priority = TaskPriority.High,
        Completed = true,
        DueDate = new DateTimeOffset(2022, 9, 21, 5, 40, 52, 123, 456, TimeSpan.Zero),
    };

    public static TheoryData<string> Properties =>
    [
        .. typeof(TaskEntry).GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Select(property => property.Name),
    ];

    private static TaskEntry Plain => new() { Title = "Task2" };

    [Theory]
    [MemberData(nameof(Properties))]
    public void Every_property_has_a_value_here_that_is_not_the_default(string name) =>
        Assert.NotEqual(ValueOf(Plain, name), ValueOf(Everything, name));

    [Theory]
    [MemberData(nameof(Properties))]
    public void Every_property_survives_the_way_through_JSON(string name) =>
        Assert.Equal(ValueOf(Everything, name), ValueOf(ThroughJson(Everything), name));

    [Theory]
    [MemberData(nameof(Properties))]
    public void Every_property_survives_the_way_through_the_row(string name) =>
        Assert.Equal(ValueOf(Everything, name), ValueOf(ThroughRow(Everything), name));

    [Theory]
    [MemberData(nameof(Properties))]
    public void Every_property_survives_the_way_through_a_file(string name) =>
        Assert.Equal(ValueOf(Everything, name), ValueOf(ThroughFile(Everything), name));

    [Theory]
    [MemberData(nameof(Properties))]
    public void Every_property_counts_for_the_version(string name)
    {
        var changed = new TaskEntry
        {
            Title = name == nameof(TaskEntry.Title) ? "other" : Everything.Title,
            Description = name == nameof(TaskEntry.Description) ? null : Everything.Description,
            Priority = name == nameof(TaskEntry.Priority) ? TaskPriority.Low : Everything.Priority,
            Completed = name != nameof(TaskEntry.Completed) && Everything.Completed,
            DueDate = name == nameof(TaskEntry.DueDate) ? null : Everything.DueDate,
        };
        Assert.NotEqual(Everything, changed);
        Assert.NotEqual(Everything.ComputeVersion(), changed.ComputeVersion());
    }

    [Theory]
    [MemberData(nameof(Properties))]
    public void Every_property_is_in_the_schema(string name)
    {
        using var schema = JsonDocument.Parse(File.ReadAllText(TestRoot.File("schema", "todoList-v1.0.json")));
        var members = schema.RootElement.GetProperty("definitions").GetProperty("taskEntry").GetProperty("properties");
        Assert.True(members.TryGetProperty(JsonNamingPolicy.SnakeCaseLower.ConvertName(name), out _));
    }

    [Fact]
    public void The_models_have_the_same_number_of_properties()
    {
        var count = Properties.Count;
        Assert.Equal(count, typeof(TaskJson).GetProperties(BindingFlags.Public | BindingFlags.Instance).Length);
        Assert.Equal(count, typeof(TaskRow).GetProperties(BindingFlags.Public | BindingFlags.Instance).Length);
        Assert.Equal(count, TaskRow.Columns.Count);
    }

    [Fact]
    public void JSON_to_domain_to_row_to_domain_to_JSON_is_the_identity() =>
        Prop.ForAll(Some.TaskJsons.ToArbitrary(), json =>
        {
            // What is not there has its default, and a due date is kept to the microsecond, from the first step on.
            var given = TaskJson.FromDomain(json.ToDomain());
            var task = given.ToDomain();
            Assert.Equal(given, TaskJson.FromDomain(ThroughFile(ThroughRow(ThroughJson(task)))));
            Assert.Equal(task, ThroughFile(ThroughRow(ThroughJson(task))));
            Assert.Equal(json.Title, given.Title);
            Assert.Equal(json.Description, given.Description);
            Assert.Equal(json.Priority ?? "none", given.Priority);
            Assert.Equal(json.Completed ?? false, given.Completed);
            Assert.Equal(json.DueDate is null, given.DueDate is null);
            // Half a microsecond, and what lies between two doubles: before 1833 and after 2106 that is more.
            var off = 0.000_000_5 + Math.BitIncrement(Math.Abs(json.DueDate ?? 0)) - Math.Abs(json.DueDate ?? 0);
            Assert.InRange((json.DueDate - given.DueDate) ?? 0, -off, off);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_due_date_is_written_as_it_was_sent_where_microseconds_fit()
    {
        Assert.Equal("""{"priority":"none","title":"t","completed":false,"due_date":1663738852.123456}""",
            Text(new TaskJson { Title = "t", DueDate = 1663738852.123456 }.ToDomain()));
        Assert.Equal("""{"priority":"none","title":"t","completed":false,"due_date":1663738852}""",
            Text(new TaskJson { Title = "t", DueDate = 1663738852.0000001 }.ToDomain()));
    }

    [Theory]
    [InlineData(1.003691)]
    [InlineData(-1.003691)]
    [InlineData(0.000001)]
    [InlineData(86399.999999)]
    [InlineData(1e9 + 0.1)]
    public void A_due_date_in_microseconds_comes_back_as_the_same_number(double due) =>
        Assert.Equal(due, TaskJson.FromDomain(new TaskJson { Title = "t", DueDate = due }.ToDomain()).DueDate);

    private static object? ValueOf(TaskEntry task, string property) =>
        typeof(TaskEntry).GetProperty(property)!.GetValue(task);

    private static TaskEntry ThroughJson(TaskEntry task)
    {
        var violations = new List<Violation>();
        var read = TaskJson.Read(Bytes(task), violations);
        Assert.Empty(violations);
        return read.ToDomain();
    }

    private static TaskEntry ThroughRow(TaskEntry task)
    {
        Assert.True(TaskRow.FromDomain(task).TryToDomain(out var result, out var problem), problem);
        return result;
    }

    private static TaskEntry ThroughFile(TaskEntry task)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(TaskRow.FromDomain(task), TaskRowJson.File.TaskRow);
        var row = JsonSerializer.Deserialize(bytes, TaskRowJson.File.TaskRow)!;
        Assert.True(row.TryToDomain(out var result, out var problem), problem);
        return result;
    }

    private static byte[] Bytes(TaskEntry task)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var writer = new Utf8JsonWriter(buffer, TaskJson.WriterOptions);
        TaskJson.FromDomain(task).Write(writer);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static string Text(TaskEntry task) => System.Text.Encoding.UTF8.GetString(Bytes(task));
}
