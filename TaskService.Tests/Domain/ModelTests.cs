using System.Buffers;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using TaskService.Http;
using TaskService.Tasks;
using TaskService.Domain;
using TaskService.Storage.Tasks;
using TaskService.Tests.Support;

namespace TaskService.Tests.Domain;

/// <summary>The three models say the same, and a property that is added to one must be added to all.</summary>
public sealed class ModelTests
{
    private const string Entry = "TaskService/Domain/TaskEntry.cs";
    private const string Json = "TaskService/Tasks/TaskJson.cs";
    private const string Row = "TaskService/Storage/Tasks/TaskRow.cs";
    private const string Schema = "schema/todoList-v1.0.json";

    private static readonly JsonObject SchemaMembers = JsonNode.Parse(
        File.ReadAllText(TestRoot.File("schema", "todoList-v1.0.json")))!
        ["definitions"]!["taskEntry"]!["properties"]!.AsObject();

    public static TheoryData<string> Properties =>
    [
        .. typeof(TaskEntry).GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Select(property => property.Name),
    ];

    /// <summary>The examples of the schema: one of each property, none of which is the default.</summary>
    private static TaskEntry Everything => ReadExamples();

    private static TaskEntry Plain => new() { Title = "Task2" };

    [Theory]
    [MemberData(nameof(Properties))]
    public void Every_property_is_read_from_its_example_in_the_schema_which_is_not_the_default(string name) =>
        Assert.False(
            Equals(ValueOf(Plain, name), ValueOf(Everything, name)),
            $"the example of {MemberOf(name)} is the default, or is lost: see {Schema}, and ToDomain in {Json}");

    [Theory]
    [MemberData(nameof(Properties))]
    public void Every_property_survives_the_way_through_JSON(string name) =>
        AssertKept(name, ThroughJson(Everything), Json);

    [Theory]
    [MemberData(nameof(Properties))]
    public void Every_property_survives_the_way_through_the_row(string name) =>
        AssertKept(name, ThroughRow(Everything), Row);

    [Theory]
    [MemberData(nameof(Properties))]
    public void Every_property_survives_the_way_through_a_file(string name) =>
        AssertKept(name, ThroughFile(Everything), Row);

    [Theory]
    [MemberData(nameof(Properties))]
    public void A_patch_of_one_property_sets_that_one_and_keeps_the_others(string name)
    {
        var patch = $"{{\"{MemberOf(name)}\":{ValueInJson(Everything, name)}}}";
        Assert.Equal(With(Plain, name, Everything), Patched(Plain, patch));
        Assert.Equal(Everything, Patched(Everything, patch));
    }

    [Theory]
    [MemberData(nameof(Properties))]
    public void A_patch_with_null_restores_the_default_of_that_one_and_keeps_the_others(string name)
    {
        var patch = $"{{\"{MemberOf(name)}\":null}}";
        var member = TaskJson.Members.All.SingleOrDefault(member => member.Name == MemberOf(name));
        Assert.True(member is not null, $"{MemberOf(name)} is not in the table of members: add it to {Json}");
        if (member.IsRequired)
        {
            var violations = new List<Violation>();
            TaskJson.Members.ReadPatch(Encoding.UTF8.GetBytes(patch), violations);
            Assert.Equal(new Violation(member.Pointer, "is required"), Assert.Single(violations));
            return;
        }
        Assert.Equal(With(Everything, name, Plain), Patched(Everything, patch));
    }

    [Theory]
    [MemberData(nameof(Properties))]
    public void Every_property_counts_for_the_version(string name)
    {
        var changed = With(Everything, name, Plain);
        Assert.NotEqual(Everything, changed);
        Assert.True(
            Everything.ComputeVersion() != changed.ComputeVersion(),
            $"{name} does not count for the version: add it to ComputeVersion in {Entry}");
    }

    [Theory]
    [MemberData(nameof(Properties))]
    public void Every_property_is_in_the_schema(string name) => Assert.True(
        SchemaMembers[MemberOf(name)]?["examples"] is not null,
        $"{MemberOf(name)} is missing, or has no example: add it to {Schema}");

    [Fact]
    public void The_models_have_the_same_number_of_properties()
    {
        const BindingFlags members = BindingFlags.Public | BindingFlags.Instance;
        AssertCount($"members of {Json}", typeof(TaskJson).GetProperties(members).Length);
        AssertCount($"lines in the table of {Json}", TaskJson.Members.All.Count);
        AssertCount($"properties of {Schema}", SchemaMembers.Count);
        AssertCount($"members of {Row}", typeof(TaskRow).GetProperties(members).Length);
        AssertCount($"columns of {Row}", TaskRow.Entity.Columns.Count);

        static void AssertCount(string what, int count) => Assert.True(
            count == Properties.Count, $"there are {count} {what}, and {Properties.Count} properties of {Entry}");
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

    private static void AssertKept(string property, TaskEntry through, string file) => Assert.True(
        Equals(ValueOf(Everything, property), ValueOf(through, property)),
        $"{property} is {ValueOf(through, property) ?? "null"}, not {ValueOf(Everything, property)}: see its mappings"
        + $" in {file}");

    private static TaskEntry ReadExamples()
    {
        var examples = SchemaMembers.Where(member => member.Value!["examples"] is not null)
            .Select(member => KeyValuePair.Create(member.Key, member.Value!["examples"]![0]?.DeepClone()));
        var violations = new List<Violation>();
        var read = TaskJson.Members.Read(JsonSerializer.SerializeToUtf8Bytes(new JsonObject(examples)), violations);
        Assert.True(
            violations.Count == 0,
            $"{Json} does not take the examples of {Schema}: {string.Join(", ", violations)}");
        return read.ToDomain();
    }

    private static object? ValueOf(TaskEntry task, string property) =>
        typeof(TaskEntry).GetProperty(property)!.GetValue(task);

    private static string MemberOf(string property) => JsonNamingPolicy.SnakeCaseLower.ConvertName(property);

    /// <summary>A copy with one property of another task.</summary>
    private static TaskEntry With(TaskEntry task, string property, TaskEntry other)
    {
        var copy = task with { };
        typeof(TaskEntry).GetProperty(property)!.SetValue(copy, ValueOf(other, property));
        return copy;
    }

    private static string ValueInJson(TaskEntry task, string property)
    {
        using var document = JsonDocument.Parse(Bytes(task));
        Assert.True(
            document.RootElement.TryGetProperty(MemberOf(property), out var value),
            $"{MemberOf(property)} is not written: see the table of members and FromDomain in {Json}");
        return value.GetRawText();
    }

    private static TaskEntry Patched(TaskEntry task, string patch)
    {
        var violations = new List<Violation>();
        var read = TaskJson.Members.ReadPatch(Encoding.UTF8.GetBytes(patch), violations);
        Assert.Empty(violations);
        return TaskJson.Apply(read, task);
    }

    private static TaskEntry ThroughJson(TaskEntry task)
    {
        var violations = new List<Violation>();
        var read = TaskJson.Members.Read(Bytes(task), violations);
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
        using var writer = new Utf8JsonWriter(buffer, StrictJson.WriterOptions);
        TaskJson.FromDomain(task).Write(writer);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static string Text(TaskEntry task) => Encoding.UTF8.GetString(Bytes(task));
}
