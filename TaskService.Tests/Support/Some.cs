using TaskService.Domain;

namespace TaskService.Tests.Support;

/// <summary>Things to test with.</summary>
internal static class Some
{
    private static readonly TaskIds Ids = new(TimeProvider.System);

    public static StoredTask Task(string? id = null, string title = "Task1", bool completed = false) =>
        new(id ?? Ids.Next(), new TaskEntry { Title = title, Completed = completed });
}
