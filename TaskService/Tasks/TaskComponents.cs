using System.Text.Json.Nodes;
using TaskService.Http;

namespace TaskService.Tasks;

/// <summary>What the descriptions of <see cref="TaskRoutes"/> name.</summary>
internal static class TaskComponents
{
    private const string SchemaFile = "todoList-v1.0.json";

    public static ResourceDescription Description { get; } =
        new(TaskEndpoints.TypeName, "completed", "priority", "due_before") { RequiredMember = "title" };

    public static DescribedComponents Describe()
    {
        var task = Schema();
        return Description.Components(
            task,
            """{"priority":"high","title":"Write it down","completed":false}""",
            """{"completed":true,"priority":null}""") with
        {
            Parameters = new JsonObject
            {
                ["completed"] = DescribedComponents.Parameter(
                    "query", "completed", "Only tasks that are, or are not.",
                    new JsonObject { ["type"] = "boolean" }, false),
                ["priority"] = DescribedComponents.Parameter(
                    "query", "priority", "Only tasks of this priority.",
                    task["properties"]!["priority"]!.DeepClone().AsObject(), "high"),
                ["due_before"] = DescribedComponents.Parameter(
                    "query", "due_before", "Only tasks that are due before this time, in Unix seconds.",
                    new JsonObject { ["type"] = "number" }, 1_893_456_000),
            },
            Tags = new Dictionary<string, string> { ["tasks"] = "The todo list" },
        };
    }

    /// <summary>The contract itself, out of its file.</summary>
    private static JsonObject Schema()
    {
        using var file = typeof(TaskComponents).Assembly.GetManifestResourceStream(SchemaFile)!;
        return JsonNode.Parse(file)!["definitions"]!["taskEntry"]!.DeepClone().AsObject();
    }
}
